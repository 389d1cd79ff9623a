{{/* Network policies between the components of this release. */}}
{{- define "peer" -}}
podSelector: {matchLabels: {app.kubernetes.io/name: {{ .name }}, app.kubernetes.io/instance: {{ .Release.Name }}}}
{{- end }}

{{/* .service, .peers (services that it calls), .callers (services that call it) */}}
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
        {{- with .Values.networkPolicy.metricsFrom }}{{ toYaml . | nindent 8 }}{{ end }}
  egress:
    - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
    - ports: [{port: 6379}]
      to:
        - {{ include "peer" (merge (dict "name" $redis) .) }}
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
