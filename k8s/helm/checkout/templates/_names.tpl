{{/* Labels that select the pods of a component. Pod templates have no other labels, so that an upgrade restarts only changed pods. */}}
{{- define "selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Labels that select pod number .index of a StatefulSet, or the pods of instance .index. Kubernetes sets the label pod-index on pods of a
StatefulSet. In chart 1, instances were StatefulSets. Today the Deployments of the instances set the same label, so that the Services find
old and new pods during an upgrade from chart 1. */}}
{{- define "selector.index" -}}
{{ include "selector" . }}
apps.kubernetes.io/pod-index: {{ .index | quote }}
{{- end }}

{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/part-of: checkout
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* .as: the name of the object, if it differs from the name of the component. .extra: further labels and annotations */}}
{{- define "metadata" -}}
name: {{ .as | default .name }}
labels:
  {{- include "labels" . | nindent 2 }}
  {{- with (.extra).labels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- with (.extra).annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "image" -}}
{{- $image := .Values.image -}}
image: {{ include "registry" . }}{{ $image.prefix }}{{ .name }}:{{ $image.tag | default .Chart.AppVersion }}{{ with get ($image.digests | default dict) .name }}@{{ . }}{{ end }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{- define "registry" -}}
{{ with .Values.image.registry }}{{ . }}/{{ end }}
{{- end }}

{{/* The number of instances and of shards of a service. */}}
{{- define "machines" -}}
{{ (index .Values .service).machines | default .Values.machines }}
{{- end }}
{{- define "shards" -}}
{{- with .Values.redis.external }}{{ get . $.service | default list | len }}{{ else }}{{ (index .Values .service).shards | default .Values.shards }}{{ end }}
{{- end }}

{{/* The number of nodes of each shard: 1 or 3. */}}
{{- define "replicas" -}}
{{ ternary 1 (.Values.redis.replicas | default 1) (not (empty .Values.redis.external)) }}
{{- end }}

{{/* The components of the Redis servers of a service: one for all single shards together, or one for each replicated shard. */}}
{{- define "redis.components" -}}
{{- $name := printf "%s-redis" .service -}}
{{- $names := list -}}
{{- range $i := until (int (include "shards" .)) }}{{ $names = append $names (printf "%s-%d" $name $i) }}{{ end -}}
{{ join " " (ternary (list $name) $names (eq (include "replicas" .) "1")) }}
{{- end }}

{{/* The addresses of the nodes of a replicated shard. .name: the component of the shard */}}
{{- define "nodes" -}}
{{ printf "%s-0:%d+%s-1:%d+%s-2:%d" .name .port .name .port .name .port }}
{{- end }}

{{- define "tokenSecret" -}}
{{ (.Values.redis.keeper).tokenSecret | default "keeper-token" }}
{{- end }}

{{- define "secretName" -}}
{{ .Values.redis.existingSecret | default "redis-password" }}
{{- end }}

{{- define "secretKey" -}}
{{ ternary .Values.redis.existingSecretKey "" (not (empty .Values.redis.existingSecret)) | default "password" }}
{{- end }}

{{/* URLs of the internal ports of a service, one per instance. Each host name is a Service that outlives the pod. */}}
{{- define "urls" -}}
{{- $name := .service -}}
{{- $urls := list -}}
{{- range $i := untilStep 1 (int (add1 (include "machines" .))) 1 }}{{ $urls = append $urls (printf "http://%s-%d:5001/" $name $i) }}{{ end -}}
{{ join "," $urls }}
{{- end }}

{{/* The templates read new values with a fallback, because an upgrade from an older chart with --reuse-values lacks new values. */}}

{{/* Names that clients use for the gateway. The services accept names without a dot and IP addresses anyway. */}}
{{- define "hosts" -}}
{{- $hosts := list "gateway.$(NAMESPACE)" -}}
{{- with .Values.entrance.host }}{{ $hosts = append $hosts . }}{{ end -}}
{{ join "," (concat $hosts ((.Values.access).hosts | default list)) }}
{{- end }}

{{/* Variables about clients that the gateway and the services need. */}}
{{- define "clients" -}}
- {name: CORS_ORIGINS, value: {{ join "," ((.Values.access).corsOrigins | default list) | quote }}}
- {name: CLIENT_TRACES, value: {{ ternary "1" "0" ((.Values.access).clientTraces | default false) | quote }}}
{{- end }}

{{- define "redisAddrs" -}}
{{- $name := .service -}}
{{- $addrs := list -}}
{{- $replicas := include "replicas" . -}}
{{- range $i := until (int (include "shards" .)) }}
{{- $shard := printf "%s-redis-%d" $name $i }}
{{- $addrs = append $addrs (ternary (printf "%s:6379" $shard) (include "nodes" (dict "name" $shard "port" 6379)) (eq $replicas "1")) }}
{{- end -}}
{{ join "," (get (.Values.redis.external | default dict) .service | default $addrs) }}
{{- end }}
