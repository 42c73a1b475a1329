"""The unmodified `datasphere` CLI, pointed at SIMULATOR_ADDRESS instead of the cloud.

The CLI has no flag for its endpoints, so the variables of its modules are set before its main() runs. It also looks
at the package index at exit, which no test should do, and polls every five seconds, which no test should wait for.
"""

import os

import datasphere.auth
import datasphere.channel
import datasphere.client
import datasphere.main

address = os.environ["SIMULATOR_ADDRESS"]
datasphere.channel.project_endpoint = address
datasphere.channel.job_endpoint = address
datasphere.channel.op_endpoint = address
datasphere.auth.iam_endpoint = address
datasphere.main.check_package_version = lambda: None
datasphere.client.operation_check_interval_seconds = 0.3

if __name__ == "__main__":
    datasphere.main.main()
