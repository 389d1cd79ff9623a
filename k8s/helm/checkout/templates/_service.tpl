{{/* One of the three services: its instances, its Redis shards and their network policies. */}}
{{- define "service" -}}
{{- include "machines.set" (merge (dict "name" .service) .) }}
{{- include "redis.set" (merge (dict "name" (printf "%s-redis" .service)) .) }}
{{- if .Values.networkPolicy.enabled }}{{ include "service.policies" . }}{{ end }}
{{- end }}

{{/* The instances of a service: .service, .name, .peers (the services whose internal ports it calls) */}}
{{- define "machines.set" }}
{{- $machines := int (include "machines" .) }}
{{- $ports := list (dict "name" "public" "port" 5000 "appProtocol" "http") (dict "name" "internal" "port" 5001 "appProtocol" "http") }}
apiVersion: v1
kind: Service
metadata: {{- include "metadata" . | nindent 2 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true # services need each other's addresses before they are ready
  selector: {{- include "selector" . | nindent 4 }}
  ports: {{- toYaml $ports | nindent 4 }}
{{- range $i := untilStep 1 (int (add1 $machines)) 1 }}
{{- include "address" (merge (dict "index" $i "ports" $ports) $) }}
{{- end }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{- include "metadata" . | nindent 2 }}
spec:
  serviceName: {{ .name }}
  replicas: {{ $machines }}
  ordinals: {start: 1} # MACHINE_ID counts from 1
  podManagementPolicy: Parallel # applies to scaling; an update still replaces one pod at a time
  minReadySeconds: 3 # longer than the 1 s for which the gateway and the peers skip a failed instance
  selector:
    matchLabels: {{- include "selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "selector" . | nindent 8 }}
    spec:
      {{- include "pod" . | nindent 6 }}
      {{- include "spread" . | nindent 6 }}
      {{- include "podSecurity" (dict "user" 65532) | nindent 6 }}
      terminationGracePeriodSeconds: 30 # longer than any request takes (15 s)
      containers:
        - name: {{ .service }}
          {{- include "image" . | nindent 10 }}
          ports:
            - {name: public, containerPort: 5000}
            - {name: internal, containerPort: 5001}
          env:
            - name: POD_INDEX
              valueFrom: {fieldRef: {fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']"}}
            - {name: MACHINE_ID, value: $(POD_INDEX)/{{ $machines }}}
            - {name: REDIS_ADDRS, value: {{ include "redisAddrs" . | quote }}}
            - name: REDIS_PASSWORD
              valueFrom: {secretKeyRef: {name: {{ include "secretName" . }}, key: password}}
            {{- range .peers }}
            - {name: {{ upper . }}_SERVICE_URL, value: {{ include "urls" (merge (dict "service" .) $) | quote }}}
            {{- end }}
            - {name: BATCH_INIT, value: {{ ternary "1" "0" .Values.batchInit | quote }}}
            - {name: CONSOLE, value: {{ ternary "1" "0" .Values.console | quote }}}
            - {name: WDM_DEBUG, value: {{ ternary "1" "0" .Values.debug | quote }}}
            - {name: LOG_FORMAT, value: {{ .Values.observability.logFormat }}}
            {{- with .Values.observability.traces }}
            - {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
            {{- end }}
            - {name: GIN_MODE, value: release}
            - {name: GOMEMLIMIT, value: {{ div (mul 4 (int .Values.machine.memoryMi)) 5 }}MiB}
          {{- include "resources" .Values.machine | nindent 10 }}
          {{- include "containerSecurity" . | nindent 10 }}
          startupProbe:
            httpGet: {path: /healthz, port: internal}
            periodSeconds: 1
            failureThreshold: 60
          readinessProbe: # checks shards and peers; updates and disruption budgets wait until the pod is ready
            httpGet: {path: /readyz, port: internal}
            periodSeconds: 2
            timeoutSeconds: 3
          livenessProbe: # checks only the process, because a restart does not repair a Redis
            httpGet: {path: /healthz, port: internal}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "selector" . | nindent 6 }}
{{- end }}
