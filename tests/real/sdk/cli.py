"""The official `datasphere` CLI against the simulator: cli.py HOST:PORT CA_FILE HTTP_HOST:PORT WORK_FOLDER EXPORTER.

EXPORTER is host and port of an exporter that reads the execution files in the folder."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

PROJECT = "bt1projectofthesdk00"
WRAPPER = pathlib.Path(__file__).with_name("datasphere_cli.py").resolve()
DEADLINE_SECONDS = 60
# Less than the exporter takes to search its folders, so what comes sooner was told by the file system.
TOLD_WITHIN_SECONDS = 15

CONFIG = """\
name: {name}
desc: a job of the official CLI
cmd: python main.py ${{DATA}} ${{MODEL}}
inputs:
  - data.txt: DATA
  - folder: FOLDER
outputs:
  - model.txt: MODEL
env:
  vars:
    - SECRET: hunter2
  python:
    type: manual
    version: "3.11"
    requirements-file: requirements.txt
    local-paths:
      - module
cloud-instance-types:
  - c1.8
"""


def check(condition: bool, what: str, detail: str = "") -> None:
    if not condition:
        sys.exit(f"cli.py: FAILED: {what}\n{detail}")
    print(f"cli.py: {what}")


class Cli:
    def __init__(
        self, address: str, ca_file: str, http_address: str, folder: pathlib.Path, exporter: str
    ) -> None:
        self.folder = folder
        self.exporter = exporter
        self.environment = {
            **os.environ,
            "SIMULATOR_ADDRESS": address,
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": os.path.abspath(ca_file),
            "YC_AUTH": "md",
            "YC_METADATA_ADDR": http_address,
            "TMPDIR": str(folder),
        }

    def start(self, *arguments: str) -> subprocess.Popen:
        # A wrapper around the wrapper: the gateway is tried without TLS as well.
        around = [os.environ["CLIENT_WRAPPER"]] if "CLIENT_WRAPPER" in os.environ else []
        command = [sys.executable, *around, str(WRAPPER), *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        try:
            output, _ = process.communicate(timeout=DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            sys.exit(f"cli.py: FAILED: {' '.join(arguments)} did not end\n{output}")
        return process.returncode, output

    def config(self, name: str) -> str:
        path = self.folder / f"{name}.yaml"
        path.write_text(CONFIG.format(name=name), encoding="utf-8")
        return path.name

    def execute(self, name: str, *arguments: str) -> tuple[int, str]:
        return self.run("project", "job", "execute", "-p", PROJECT, "-c", self.config(name), *arguments)

    def begin(self, name: str) -> tuple[str, str]:
        """Starts a job without waiting for it: its id and its operation's."""
        code, output = self.execute(name, "--async", "-o", "execution.json")
        check(code == 0, f"{name} is started with --async", output)
        return self.written()

    def written(self) -> tuple[str, str]:
        """What the execution file names, once the exporter follows it."""
        text = (self.folder / "execution.json").read_text(encoding="utf-8")
        ids = json.loads(text)
        shape = f'{{\n    "job_id": "{ids["job_id"]}",\n    "operation_id": "{ids["operation_id"]}"\n}}\n'
        check(text == shape, "the execution file has the shape that the exporter reads", text)
        seconds = self.follow(ids["operation_id"])
        check(seconds < TOLD_WITHIN_SECONDS, f"the exporter follows what the file names {seconds:.1f} s later")
        return ids["job_id"], ids["operation_id"]

    def follow(self, operation_id: str) -> float:
        """Seconds until the exporter shows an operation that a file named."""
        url = f"http://{self.exporter}/api/v1/operations/{operation_id}"
        begun = time.monotonic()
        while time.monotonic() - begun < DEADLINE_SECONDS:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    row = json.load(answer)
                source = os.environ.get("EXPECTED_SOURCE", "file")
                check(row["source"] == source, f"it names the {source} as its source", str(row))
                break
            except urllib.error.HTTPError:
                time.sleep(0.05)
        return time.monotonic() - begun

    def job(self, job_id: str) -> dict:
        code, output = self.run("project", "job", "get", "--id", job_id, "--format", "json", "-o", "job.json")
        check(code == 0, "a job is shown", output)
        return json.loads((self.folder / "job.json").read_text(encoding="utf-8"))


def check_execution(cli: Cli) -> str:
    code, output = cli.execute("train")
    check(code == 0 and "job completed successfully" in output, "a job is executed", output)
    check("uploading 3 files" in output, "its inputs and modules are uploaded", output)
    check("train started on c1.8" in output, "its output is printed", output)
    model = (cli.folder / "model.txt").read_text(encoding="utf-8")
    check(model == "weights\n", "its file is downloaded", model)
    code, output = cli.execute("again")
    check(code == 0 and "no files to upload" in output, "what is stored is not uploaded twice", output)
    jobs = [line for line in output.splitlines() if "created job `" in line]
    return jobs[0].split("`")[1]


def check_failures(cli: Cli) -> None:
    code, output = cli.execute("failing")
    check(code != 0 and "Program returned code 3" in output, "a failing return code is told", output)
    code, output = cli.execute("refused")
    check(code != 0 and "RESOURCE_EXHAUSTED" in output, "a refusal by quota is told", output)
    check("x-request-id" in output, "the headers of the call are told with it", output)


def check_listing(cli: Cli) -> None:
    code, output = cli.run("project", "job", "list", "-p", PROJECT, "--format", "json", "-o", "jobs.json")
    check(code == 0, "jobs are listed", output)
    jobs = json.loads((cli.folder / "jobs.json").read_text(encoding="utf-8"))
    statuses = {job["name"]: job["status"] for job in jobs}
    expected = {"train": "SUCCESS", "failing": "SUCCESS", "refused": "ERROR", "for-ever": "EXECUTING"}
    check(expected.items() <= statuses.items(), "the listing tells names and statuses", str(statuses))
    code, output = cli.run("project", "get", "--id", PROJECT)
    check(code == 0 and "nlp" in output, "the project is shown", output)
    code, output = cli.run("project", "list", "-c", "bt1communityofthesdk")
    check(code == 0 and PROJECT in output, "the projects of a community are listed", output)


def check_attach(cli: Cli) -> None:
    job_id, operation_id = cli.begin("attached")
    check(len(operation_id) == 20, "the operation has an id")
    code, output = cli.run("project", "job", "attach", "--id", job_id)
    check(code == 0 and "job completed successfully" in output, "a running job is attached to", output)


def check_cancel(cli: Cli, *arguments: str) -> None:
    job_id, _ = cli.begin("long")
    code, output = cli.run("project", "job", "cancel", "--id", job_id, *arguments)
    check(code == 0, " ".join(("a job is cancelled", *arguments)), output)
    deadline = time.monotonic() + DEADLINE_SECONDS
    statuses = []
    while time.monotonic() < deadline and "CANCELLED" not in statuses:
        statuses.append(cli.job(job_id)["status"])
    check(statuses[-1] == "CANCELLED", "the job is cancelled in the end", str(statuses))


def check_files(cli: Cli, job_id: str) -> None:
    arguments = ("project", "job", "download-files", "--id", job_id, "--with-logs", "--output-dir", "downloads")
    code, output = cli.run(*arguments)
    downloads = sorted(path.name for path in (cli.folder / "downloads").iterdir())
    check(code == 0 and "model.txt" in downloads and ".system.log" in downloads, "files are downloaded", output)
    code, output = cli.run("project", "job", "set-data-ttl", "--id", job_id, "--days", "3")
    check(code == 0 and cli.job(job_id)["data_expired_at"] != "Never", "the life of data is set", output)
    code, output = cli.run("project", "job", "set-data-ttl", "--id", job_id, "--days", "infinity")
    check(code == 0 and cli.job(job_id)["data_expired_at"] == "Never", "the life of data has no end", output)


def check_fork(cli: Cli, job_id: str) -> None:
    code, output = cli.run("project", "job", "fork", "--id", job_id, "--name", "forked", "--env-var", "EPOCHS=2")
    check(code == 0 and "job completed successfully" in output, "a job is forked", output)
    arguments = ("--id", job_id, "--name", "forked-aside", "--async", "-o", "execution.json")
    code, output = cli.run("project", "job", "fork", *arguments)
    check(code == 0, "a job is forked with --async", output)
    forked_id, _ = cli.written()
    check(forked_id != job_id, "the fork is a job of its own")


def main(address: str, ca_file: str, http_address: str, folder: str, exporter: str) -> None:
    path = pathlib.Path(folder).resolve()
    shutil.rmtree(path, ignore_errors=True)
    (path / "module").mkdir(parents=True)
    (path / "folder").mkdir()
    (path / "main.py").write_text("print('never run')\n", encoding="utf-8")
    (path / "data.txt").write_text("data\n", encoding="utf-8")
    (path / "folder" / "more.txt").write_text("more\n", encoding="utf-8")
    (path / "module" / "code.py").write_text("X = 1\n", encoding="utf-8")
    (path / "requirements.txt").write_text("numpy\n", encoding="utf-8")
    cli = Cli(address, ca_file, http_address, path, exporter)
    job_id = check_execution(cli)
    check_failures(cli)
    check_listing(cli)
    check_attach(cli)
    check_cancel(cli)
    check_cancel(cli, "-g")
    check_files(cli, job_id)
    check_fork(cli, job_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
