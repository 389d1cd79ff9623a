{{/* One of the three services: its instances, its Redis shards and their network policies. */}}
{{- define "service" -}}
{{- include "checks.release" . -}}
{{- include "machines.set" (merge (dict "name" .service "pod" (.Values.machine.pod | default dict) "services" (.Values.machine.service | default dict)) .) }}
{{- if not .Values.redis.external }}
{{- include "redis.set" (merge (dict "name" (printf "%s-redis" .service) "pod" (.Values.redis.pod | default dict) "services" (.Values.redis.service | default dict)) .) }}
{{- end }}
{{- if .Values.networkPolicy.enabled }}{{ include "service.policies" . }}{{ end }}
{{- end }}

{{/* The instances of a service: .service, .name, .peers (the services whose internal ports .service calls). Each instance is a Deployment
with one pod, so that Kubernetes replaces the pod of a lost node, and MACHINE_ID stays the same. */}}
{{- define "machines.set" }}
{{- $machines := int (include "machines" .) }}
{{- $ports := list (dict "name" "public" "port" 5000 "appProtocol" "http") (dict "name" "internal" "port" 5001 "appProtocol" "http") (dict "name" "metrics" "port" 5002 "appProtocol" "http") }}
{{- range $i := untilStep 1 (int (add1 $machines)) 1 }}
{{- include "address" (merge (dict "index" $i "ports" $ports) $) }}
{{- include "machine" (merge (dict "index" $i "machines" $machines) $) }}
{{- end }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow # an instance that is not ready must not stop a drain
  selector:
    matchLabels: {{- include "selector" . | nindent 6 }}
{{- end }}

{{/* Instance .index of .machines */}}
{{- define "machine" }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{- include "metadata" (merge (dict "as" (printf "%s-%d" .name .index)) .) | nindent 2 }}
spec:
  replicas: 1
  revisionHistoryLimit: 2
  # During an update, two pods may run the same instance. Two such pods are safe: see docs/adr/0023-instances-are-deployments.md.
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  minReadySeconds: 3 # longer than the 1 s for which the gateway and the peers skip a failed instance
  selector:
    matchLabels: {{- include "selector.index" . | nindent 6 }}
  template:
    metadata: {{- include "pod.metadata" . | nindent 6 }}
    spec:
      {{- include "pod" (merge (dict "stateless" true) .) | nindent 6 }}
      {{- include "spread" . | nindent 6 }}
      {{- include "podSecurity" (dict "user" 65532) | nindent 6 }}
      terminationGracePeriodSeconds: 40 # longer than the preStop hook (5 s) and a shutdown (18 s)
      containers:
        - name: {{ .service }}
          {{- include "image" . | nindent 10 }}
          ports:
            - {name: public, containerPort: 5000}
            - {name: internal, containerPort: 5001}
            - {name: metrics, containerPort: 5002}
          env:
            - {name: MACHINE_ID, value: {{ printf "%d/%d" .index .machines | quote }}}
            - {name: REDIS_ADDRS, value: {{ include "redisAddrs" . | quote }}}
            - {name: SYSTEM_NAME, value: {{ default .Release.Name .Values.systemName | quote }}}
            {{- include "redis.env" . | nindent 12 }}
            {{- range .peers }}
            - {name: {{ upper . }}_SERVICE_URL, value: {{ include "urls" (merge (dict "service" .) $) | quote }}}
            {{- end }}
            - {name: BATCH_INIT, value: {{ ternary "1" "0" .Values.batchInit | quote }}}
            {{- with .Values.batchLimit }}
            - {name: BATCH_LIMIT, value: {{ int64 . | quote }}}
            {{- end }}
            {{- with .Values.idempotencyKeyLimit }}
            - {name: IDEMPOTENCY_KEY_LIMIT, value: {{ int64 . | quote }}}
            {{- end }}
            - {name: CONSOLE, value: {{ ternary "1" "0" .Values.console | quote }}}
            {{- if not (kindIs "invalid" .Values.lists) }}
            - {name: LISTS, value: {{ ternary "1" "0" .Values.lists | quote }}}
            {{- end }}
            - {name: WDM_DEBUG, value: {{ ternary "1" "0" .Values.debug | quote }}}
            {{- with (.Values.access).internalTokenSecret }}
            - name: INTERNAL_TOKEN
              valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: token}}
            {{- end }}
            - {name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}} # for ALLOWED_HOSTS
            - {name: ALLOWED_HOSTS, value: {{ include "hosts" . | quote }}}
            {{- include "clients" . | nindent 12 }}
            - {name: LOG_FORMAT, value: {{ .Values.observability.logFormat }}}
            {{- with .Values.observability.traces }}
            - {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
            {{- end }}
            - {name: GIN_MODE, value: release}
            - {name: GOMEMLIMIT, value: {{ div (mul 4 (int .Values.machine.memoryMi)) 5 }}MiB}
            {{- with .pod.env }}{{ toYaml . | nindent 12 }}{{ end }}
          {{- include "instance.mounts" . | nindent 10 }}
          {{- include "resources" .Values.machine | nindent 10 }}
          {{- include "containerSecurity" . | nindent 10 }}
          startupProbe:
            httpGet: {path: /healthz, port: internal}
            periodSeconds: 1
            failureThreshold: 60
          readinessProbe: # succeeds while a shard or a peer is unavailable, because a failure would take all instances out of service
            httpGet: {path: /readyz/instance, port: internal}
            periodSeconds: 1
            timeoutSeconds: 3
          lifecycle:
            preStop: {sleep: {seconds: 5}} # until no node routes new connections to this pod
          livenessProbe: # checks only the process, because a restart does not repair a Redis
            httpGet: {path: /healthz, port: internal}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
      {{- include "instance.volumes" . | nindent 6 }}
{{- end }}
