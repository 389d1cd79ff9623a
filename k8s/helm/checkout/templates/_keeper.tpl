{{/* The keeper of each node of a replicated shard (.shard, .name). */}}
{{- define "keeper" -}}
- name: keeper
  {{- include "image" (merge (dict "name" "keeper") .) | nindent 2 }}
  ports:
    - {name: keeper, containerPort: 7000}
    - {name: keeper-metrics, containerPort: 7001}
  env:
    {{- include "keeper.env" . | nindent 4 }}
    - name: NODE
      valueFrom: {fieldRef: {fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']"}}
    - {name: REDIS_ADDR, value: "127.0.0.1:6379"}
    - name: REDIS_PASSWORD
      valueFrom: {secretKeyRef: {name: {{ include "secretName" . | quote }}, key: {{ include "secretKey" . | quote }}}}
    - {name: STATE_FILE, value: /data/keeper.json} # on the volume of the data, so that both are lost together
    - {name: LOG_FORMAT, value: {{ .Values.observability.logFormat }}}
  {{- include "keeper.resources" . | nindent 2 }}
  {{- include "containerSecurity" . | nindent 2 }}
  readinessProbe: # ready: the primary, a replica in sync, or a node of a new shard; so an update waits for each node before it replaces the next one
    httpGet: {path: /readyz, port: keeper}
    periodSeconds: 1
    timeoutSeconds: 3
  livenessProbe:
    httpGet: {path: /healthz, port: keeper}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  volumeMounts:
    - {name: data, mountPath: /data}
{{- end }}

{{- define "keeper.env" -}}
- {name: SHARD, value: {{ .shard }}}
- {name: NODES, value: {{ include "nodes" (dict "name" .name "port" 6379) | quote }}}
- {name: KEEPERS, value: {{ include "nodes" (dict "name" .name "port" 7000) | quote }}}
- name: KEEPER_TOKEN
  valueFrom: {secretKeyRef: {name: {{ include "tokenSecret" . | quote }}, key: token}}
{{- end }}

{{- define "keeper.resources" -}}
{{- include "resources" (merge (dict) (.Values.redis.keeper | default dict) (dict "cpu" "50m" "memoryMi" 64)) }}
{{- end }}

{{/* A Job that makes node 0 of a new replicated shard the first primary. It does nothing if the shard has had a primary. */}}
{{- define "keeper.init" }}
{{- $context := merge (dict "name" (printf "%s-init" .name)) . }}
{{- $template := include "keeper.init.template" (merge (dict "init" $context) .) }}
---
apiVersion: batch/v1
kind: Job
metadata: {{- include "metadata" (merge (dict "as" (printf "%s-%s" $context.name (sha256sum $template | trunc 8))) $context) | nindent 2 }}
spec: # Kubernetes allows no change of a Job, so the Job's name contains a hash of the pod template
  backoffLimit: 100
  template: {{- $template | nindent 4 }}
{{- end }}

{{- define "keeper.init.template" -}}
metadata:
  labels: {{- include "selector" .init | nindent 4 }}
spec:
  {{- include "pod" (omit . "pod") | nindent 2 }}
  {{- include "podSecurity" (dict "user" 65532) | nindent 2 }}
  restartPolicy: OnFailure
  containers:
    - name: init
      {{- include "image" (merge (dict "name" "keeper") .) | nindent 6 }}
      args: [init, --if-needed]
      env:
        {{- include "keeper.env" . | nindent 8 }}
        - {name: NODE, value: "0"}
      {{- include "keeper.resources" . | nindent 6 }}
      {{- include "containerSecurity" . | nindent 6 }}
{{- end }}
