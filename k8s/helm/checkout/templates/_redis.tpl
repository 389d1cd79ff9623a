{{/* The Redis shards of a service (.service, .name). Acknowledged writes are durable; nothing is evicted. */}}
{{- define "redis.set" }}
{{- $shards := int (include "shards" .) }}
{{- $old := lookup "apps/v1" "StatefulSet" .Release.Namespace .name }}
{{- if and $old (gt (int $old.spec.replicas) $shards) }}
{{- fail (printf "%s has %d shards: cannot reduce them to %d, because the data of a shard exists nowhere else" .service (int $old.spec.replicas) $shards) }}
{{- end }}
{{- $ports := list (dict "name" "redis" "port" 6379) }}
{{- $redis := .Values.redis }}
{{- $image := ternary "valkey/valkey:9.1-alpine" "redis:8.10-alpine" (eq $redis.flavour "valkey") }}
{{- range $i := until $shards }}
{{- include "address" (merge (dict "index" $i "ports" $ports) $) }}
{{- end }}
---
apiVersion: v1
kind: Service
metadata: {{- include "metadata" . | nindent 2 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {{- include "selector" . | nindent 4 }}
  ports: {{- toYaml $ports | nindent 4 }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{- include "metadata" . | nindent 2 }}
spec:
  serviceName: {{ .name }}
  replicas: {{ $shards }}
  podManagementPolicy: Parallel # applies to scaling; an update still replaces one pod at a time
  minReadySeconds: 3
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Retain}
  selector:
    matchLabels: {{- include "selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "selector" . | nindent 8 }}
    spec:
      {{- include "pod" . | nindent 6 }}
      {{- include "spread" . | nindent 6 }}
      {{- include "podSecurity" (dict "user" 999 "group" 1000) | nindent 6 }}
      terminationGracePeriodSeconds: 60
      containers:
        - name: redis
          image: {{ $redis.image | default $image }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          # The image's own entrypoint would load unused modules.
          command: [{{ $redis.flavour }}-server]
          args: [--dir, /data, --appendonly, "yes", --appendfsync, always, --save, "", --maxmemory, {{ $redis.maxmemoryMi }}mb,
                 --maxmemory-policy, noeviction, --requirepass, $(REDISCLI_AUTH)]
          ports:
            - {name: redis, containerPort: 6379}
          env:
            - name: REDISCLI_AUTH # {{ $redis.flavour }}-cli reads it
              valueFrom: {secretKeyRef: {name: {{ include "secretName" . }}, key: password}}
          {{- include "resources" (dict "cpu" $redis.cpu "memoryMi" (div (mul 5 (int $redis.maxmemoryMi)) 2)) | nindent 10 }}
          {{- include "containerSecurity" . | nindent 10 }}
          readinessProbe: # check the reply: redis-cli also exits with 0 when Redis replies LOADING
            exec: {command: [sh, -c, "{{ $redis.flavour }}-cli ping | grep -qx PONG"]}
            periodSeconds: 5
            timeoutSeconds: 3
          livenessProbe: # any reply means alive, even LOADING
            exec: {command: [{{ $redis.flavour }}-cli, ping]}
            initialDelaySeconds: 10
            periodSeconds: 20
            timeoutSeconds: 10
            failureThreshold: 6
          volumeMounts:
            - {name: data, mountPath: /data}
  volumeClaimTemplates:
    - metadata:
        name: data
        labels: {{- include "selector" . | nindent 10 }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $redis.storage.class }}
        storageClassName: {{ . }}
        {{- end }}
        resources: {requests: {storage: {{ $redis.storage.size }}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1 # a moving shard is unavailable for seconds: never move two shards of a service at once
  selector:
    matchLabels: {{- include "selector" . | nindent 6 }}
{{- end }}
