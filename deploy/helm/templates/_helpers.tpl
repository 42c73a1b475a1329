{{/* The name that everything has or begins with. */}}
{{- define "exporter.name" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{/* What tells this release's pods from all others. */}}
{{- define "exporter.selector" -}}
app.kubernetes.io/name: datasphere-exporter
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of everything. */}}
{{- define "exporter.labels" -}}
{{ include "exporter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "exporter.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* How a path is asked for, as a probe has it; `ready` is a further flag of the program's own way. */}}
{{- define "exporter.probe" -}}
{{- $web := .root.Values.web -}}
{{- if $web.healthcheck -}}
exec:
  command: {{ concat (list "/usr/local/bin/datasphere-exporter" "healthcheck") $web.healthcheck (ternary (list "--ready") list (eq .path "/-/ready")) | toJson }}
{{- else -}}
httpGet: {path: {{ .path }}, port: http, scheme: {{ $web.scheme }}}
{{- end -}}
{{- end }}

{{- define "exporter.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "exporter.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end }}

{{/* The configuration file: what was written, and what the chart knows better. */}}
{{- define "exporter.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $written := dig "cloud" "auth" dict .Values.config -}}
{{- $secret := .Values.auth.secret.name -}}
{{- $identity := .Values.auth.workloadIdentity -}}
{{- $ways := 0 -}}
{{- if $written }}{{ $ways = add1 $ways }}{{ end -}}
{{- if $secret }}{{ $ways = add1 $ways }}{{ end -}}
{{- if $identity.serviceAccountId }}{{ $ways = add1 $ways }}{{ end -}}
{{- if ne (int $ways) 1 -}}
{{- fail "say one way to authenticate: auth.secret.name, auth.workloadIdentity.serviceAccountId or config.cloud.auth" -}}
{{- end -}}
{{- if $secret -}}
{{- $auth := dict "service_account_key_file" "/etc/datasphere-exporter/key/key.json" -}}
{{- $config = mergeOverwrite $config (dict "cloud" (dict "auth" $auth)) -}}
{{- else if $identity.serviceAccountId -}}
{{- $auth := dict "service_account_id" $identity.serviceAccountId "token_file" "/var/run/secrets/yandex.cloud/token" -}}
{{- $config = mergeOverwrite $config (dict "cloud" (dict "auth" (dict "workload_identity" $auth))) -}}
{{- end -}}
{{- if .Values.gateway.enabled -}}
{{- $gateway := dict "listen_address" (printf ":%d" (int .Values.gateway.port)) -}}
{{- if .Values.gateway.tlsSecret -}}
{{- $folder := "/etc/datasphere-exporter/gateway" -}}
{{- $_ := set $gateway "tls" (dict "cert_file" (printf "%s/tls.crt" $folder) "key_file" (printf "%s/tls.key" $folder)) -}}
{{- end -}}
{{- $config = mergeOverwrite $config (dict "gateway" $gateway) -}}
{{- end -}}
{{- if .Values.web.secret -}}
{{- $config = mergeOverwrite $config (dict "web" (dict "config_file" "/etc/datasphere-exporter/web/web.yaml")) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (dict "storage" (dict "path" "/data"))) -}}
{{- end }}
