{{/* Labels that select the pods of a component. Pod templates have only these, so that an upgrade restarts only changed pods. */}}
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

{{/* .as: the name of the object, if it differs from the name of the component */}}
{{- define "metadata" -}}
name: {{ .as | default .name }}
labels: {{- include "labels" . | nindent 2 }}
{{- end }}

{{- define "image" -}}
image: {{ .Values.image.prefix }}{{ .name }}:{{ .Values.image.tag }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{/* The number of instances and of shards of a service. */}}
{{- define "machines" -}}
{{ (index .Values .service).machines | default .Values.machines }}
{{- end }}
{{- define "shards" -}}
{{ (index .Values .service).shards | default .Values.shards }}
{{- end }}

{{- define "secretName" -}}
{{ .Values.redis.existingSecret | default "redis-password" }}
{{- end }}

{{/* URLs of the internal ports of a service, one per instance. Each host name is a Service that outlives the pod. */}}
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
