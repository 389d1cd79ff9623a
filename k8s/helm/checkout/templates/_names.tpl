{{/* What selects a component's pods. Never more than this is in a pod's template, so that an upgrade restarts only what it changes. */}}
{{- define "selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/part-of: checkout
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* .as: where an object's name is not its component's */}}
{{- define "metadata" -}}
name: {{ .as | default .name }}
labels: {{- include "labels" . | nindent 2 }}
{{- end }}

{{- define "image" -}}
image: {{ .Values.image.prefix }}{{ .name }}:{{ .Values.image.tag }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{/* How many machines, or shards, a service has. */}}
{{- define "machines" -}}
{{ (index .Values .service).machines | default .Values.machines }}
{{- end }}
{{- define "shards" -}}
{{ (index .Values .service).shards | default .Values.shards }}
{{- end }}

{{- define "secretName" -}}
{{ .Values.redis.existingSecret | default "redis-password" }}
{{- end }}

{{/* The internal doors of another service, one URL a machine: each has an address of its own, which outlives its pod. */}}
{{- define "urls" -}}
{{- $name := .service -}}
{{- $urls := list -}}
{{- range $i := untilStep 1 (int (add1 (include "machines" .))) 1 }}{{ $urls = append $urls (printf "http://%s-%d:5001/" $name $i) }}{{ end -}}
{{ join "," $urls }}
{{- end }}

{{- define "redisAddrs" -}}
{{- $name := .service -}}
{{- $addrs := list -}}
{{- range $i := until (int (include "shards" .)) }}{{ $addrs = append $addrs (printf "%s-redis-%d:6379" $name $i) }}{{ end -}}
{{ join "," $addrs }}
{{- end }}
