{{/* Network policies between the components of this release. */}}
{{- define "peer" -}}
podSelector: {matchLabels: {app.kubernetes.io/name: {{ .name }}, app.kubernetes.io/instance: {{ .Release.Name }}}}
{{- end }}

{{/* .service: the service, .peers: the services that .service calls, .callers: the services that call .service */}}
{{- define "service.policies" }}
{{- $redis := printf "%s-redis" .service }}
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
    {{- if and (eq .service "order") (.Values.backup).enabled }}
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
    {{- range splitList "," (include "redisAddrs" .) }}{{ $redisPorts = append $redisPorts (regexFind "[0-9]+$" .) }}{{ end }}
    - ports: # the external Redis servers, on any host
        {{- range uniq $redisPorts }}
        - {port: {{ . }}}
        {{- end }}
    {{- else }}
    - ports: [{port: 6379}]
      to:
        - {{ include "peer" (merge (dict "name" $redis) .) }}
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
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{- include "metadata" (merge (dict "name" $redis) .) | nindent 2 }}
spec:
  podSelector:
    matchLabels: {{- include "selector" (merge (dict "name" $redis) .) | nindent 6 }}
  policyTypes: [Ingress, Egress] # no egress: Redis opens no connections
  ingress:
    - ports: [{port: 6379}]
      from:
        - {{ include "peer" (merge (dict "name" .service) .) }}
{{- end }}
{{- end }}
