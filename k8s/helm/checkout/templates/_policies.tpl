{{/* Network policies between the components of this release. */}}
{{- define "peer" -}}
podSelector: {matchLabels: {app.kubernetes.io/name: {{ .name }}, app.kubernetes.io/instance: {{ .Release.Name | quote }}}}
{{- end }}

{{/* .service: the service, .peers: the services that .service calls, .callers: the services that call .service */}}
{{- define "service.policies" }}
{{- $redis := splitList " " (include "redis.components" .) }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{- include "metadata" (merge (dict "name" .service) .) | nindent 2 }}
spec:
  podSelector:
    matchLabels: {{- include "selector" (merge (dict "name" .service) .) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports: [{port: 5000}]
      from:
        - {{ include "peer" (merge (dict "name" "gateway") .) }}
    - ports: [{port: 5001}]
      from:
        {{- range .callers }}
        - {{ include "peer" (merge (dict "name" .) $) }}
        {{- end }}
    {{- $readers := .Values.networkPolicy.metricsFrom | default list }}
    {{- if and (.Values.backup).enabled (or (eq .service "order") (eq (include "replicas" .) "3")) }}
    {{- $readers = append $readers (include "peer" (merge (dict "name" "backup") .) | fromYaml) }}
    {{- end }}
    {{- with $readers }}
    - ports: [{port: 5002}]
      from: {{- toYaml . | nindent 8 }}
    {{- end }}
  egress:
    - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
    {{- if .Values.redis.external }}
    {{- $redisPorts := list }}
    {{- range splitList "," (include "redisAddrs" . | replace "+" ",") }}{{ $redisPorts = append $redisPorts (regexFind "[0-9]+$" .) }}{{ end }}
    - ports: # the external Redis servers, on any host
        {{- range uniq $redisPorts }}
        - {port: {{ . }}}
        {{- end }}
    {{- else }}
    - ports: [{port: 6379}]
      to:
        {{- range $redis }}
        - {{ include "peer" (merge (dict "name" .) $) }}
        {{- end }}
    {{- end }}
    {{- with .Values.observability.traces }}
    - ports: [{port: {{ regexFind "[0-9]+/?$" . | trimSuffix "/" }}}] # the OTLP collector, on any host
    {{- end }}
    {{- with .peers }}
    - ports: [{port: 5001}]
      to:
        {{- range . }}
        - {{ include "peer" (merge (dict "name" .) $) }}
        {{- end }}
    {{- end }}
{{- if not .Values.redis.external }}
{{- range $redis }}
{{- $set := merge (dict "name" .) $ }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{- include "metadata" $set | nindent 2 }}
spec:
  podSelector:
    matchLabels: {{- include "selector" $set | nindent 6 }}
  {{- if eq (include "replicas" $) "1" }}
  policyTypes: [Ingress, Egress] # no egress: Redis opens no connections
  ingress:
    - ports: [{port: 6379}]
      from:
        - {{ include "peer" (merge (dict "name" $.service) $) }}
  {{- else }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports: [{port: 6379}]
      from:
        - {{ include "peer" (merge (dict "name" $.service) $) }}
        - {{ include "peer" $set }}
    - ports: [{port: 7000}]
      from:
        - {{ include "peer" $set }}
        - {{ include "peer" (merge (dict "name" (printf "%s-init" .)) $) }}
    {{- with $.Values.networkPolicy.metricsFrom }}
    - ports: [{port: 7001}]
      from: {{- toYaml . | nindent 8 }}
    {{- end }}
  egress: # only to the other nodes of the shard
    - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
    - ports: [{port: 6379}, {port: 7000}]
      to:
        - {{ include "peer" $set }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}
