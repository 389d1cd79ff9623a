{{/* The Redis shards of a service (.service, .name): one StatefulSet for all single shards together, or a StatefulSet with three nodes for
each replicated shard. */}}
{{- define "redis.set" }}
{{- $shards := int (include "shards" .) }}
{{- include "redis.guard" (merge (dict "shards" $shards) .) }}
{{- if eq (include "replicas" .) "1" }}
{{- include "redis.pods" (merge (dict "pods" $shards) .) }}
{{- else }}
{{- range $i := until $shards }}
{{- $shard := merge (dict "name" (printf "%s-%d" $.name $i) "shard" (printf "%s-%d" $.service $i) "pods" 3) $ }}
{{- include "redis.pods" $shard }}
{{- include "keeper.init" $shard }}
{{- end }}
{{- end }}
{{- end }}

{{/* A StatefulSet of .pods Redis servers. Acknowledged writes are durable, and no keys are evicted. .shard: the pods are the nodes of this
replicated shard, such as order-0. Then the keeper is the main container, and Redis its sidecar: Kubernetes stops the keeper first, so that
a primary hands over before its Redis stops. */}}
{{- define "redis.pods" }}
{{- $ports := list (dict "name" "redis" "port" 6379) }}
{{- if .shard }}{{ $ports = append $ports (dict "name" "keeper" "port" 7000 "appProtocol" "http") }}{{ end }}
{{- $redis := .Values.redis }}
{{- $image := ternary "valkey/valkey:9.1-alpine" "redis:8.10-alpine" (eq $redis.flavour "valkey") }}
{{- $headless := ternary (printf "%s-nodes" .name) .name (not (empty .shard)) }}
{{- range $i := until .pods }}
{{- include "address" (merge (dict "index" $i "ports" $ports "unready" true) $) }}
{{- end }}
---
apiVersion: v1
kind: Service
metadata: {{- include "metadata" (merge (dict "as" $headless "extra" .services) .) | nindent 2 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {{- include "selector" . | nindent 4 }}
  ports: {{- toYaml $ports | nindent 4 }}
---
apiVersion: v1
kind: ConfigMap
metadata: {{- include "metadata" (merge (dict "as" (printf "%s-scripts" .name)) .) | nindent 2 }}
data:
  redis-start: |
    {{- .Files.Get "files/redis-start" | nindent 4 }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{- include "metadata" . | nindent 2 }}
spec:
  serviceName: {{ $headless }}
  replicas: {{ .pods }}
  podManagementPolicy: Parallel # applies to scaling; an update still replaces one pod at a time
  minReadySeconds: 3
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Retain}
  selector:
    matchLabels: {{- include "selector" . | nindent 6 }}
  template:
    metadata: {{- include "pod.metadata" . | nindent 6 }}
    spec:
      {{- include "pod" . | nindent 6 }}
      {{- include "spread" . | nindent 6 }}
      {{- include "podSecurity" (dict "user" 999 "group" 1000) | nindent 6 }}
      terminationGracePeriodSeconds: 60
      {{- if .shard }}
      initContainers:
        - name: redis
          restartPolicy: Always # a sidecar: it starts before the keeper and stops after the keeper
      {{- else }}
      containers:
        - name: redis
      {{- end }}
          image: {{ $redis.image | default (print (include "registry" .) $image) }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          # The image's own entrypoint would load unused modules. redis-start prepares the data directory and waits while the disk is full.
          command: [sh, /scripts/redis-start, {{ $redis.flavour }}-server]
          args: [--dir, /data, --appendonly, "yes", --appendfsync, always, --save, "", --maxmemory, {{ int64 $redis.maxmemoryMi }}mb,
                 --maxmemory-policy, noeviction, --requirepass, $(REDISCLI_AUTH)
                 {{- if .shard }}, --masterauth, $(REDISCLI_AUTH),
                 --repl-diskless-load, disabled, --repl-diskless-sync-delay, "0", --repl-timeout, "5", --repl-backlog-size, 64mb,
                 --replica-read-only, "yes", --replica-serve-stale-data, "yes", --shutdown-on-sigterm, now force,
                 --rename-command, SYNC, "",
                 --replicaof, 127.0.0.1 1{{ end }}] {{- if .shard }} # follow no node until the keeper commands it{{ end }}
          ports:
            - {name: redis, containerPort: 6379}
          env:
            - name: REDISCLI_AUTH # {{ $redis.flavour }}-cli reads this variable
              valueFrom: {secretKeyRef: {name: {{ include "secretName" . | quote }}, key: {{ include "secretKey" . | quote }}}}
            {{- with $redis.minFreeMi }}
            - {name: REDIS_MIN_FREE_KIB, value: {{ mul 1024 . | quote }}}
            {{- end }}
            {{- with (.pod).env }}{{ toYaml . | nindent 12 }}{{ end }}
          {{- include "resources" (dict "cpu" $redis.cpu "memoryMi" (div (mul 5 (int $redis.maxmemoryMi)) 2)) | nindent 10 }}
          {{- include "containerSecurity" . | nindent 10 }}
          {{- if not .shard }}
          readinessProbe: # check the reply: redis-cli also exits with 0 when Redis replies LOADING
            exec: {command: [sh, -c, "{{ $redis.flavour }}-cli ping | grep -qx PONG"]}
            periodSeconds: 5
            timeoutSeconds: 3
          {{- end }}
          livenessProbe: # any reply means alive, even LOADING; redis-start is alive while it waits for free space
            exec: {command: [sh, -c, "! pidof {{ $redis.flavour }}-server || {{ $redis.flavour }}-cli ping"]}
            initialDelaySeconds: 10
            periodSeconds: 20
            timeoutSeconds: 10
            failureThreshold: 6
          volumeMounts:
            - {name: data, mountPath: /data}
            - {name: scripts, mountPath: /scripts, readOnly: true}
            {{- with (.pod).volumeMounts }}{{ toYaml . | nindent 12 }}{{ end }}
      {{- if .shard }}
      containers:
        {{- include "keeper" . | nindent 8 }}
      {{- end }}
      volumes:
        - name: scripts
          configMap: {name: {{ .name }}-scripts}
        {{- with (.pod).volumes }}{{ toYaml . | nindent 8 }}{{ end }}
  volumeClaimTemplates:
    - metadata:
        name: data
        labels: {{- include "selector" . | nindent 10 }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $redis.storage.class }}
        storageClassName: {{ . | quote }}
        {{- end }}
        resources: {requests: {storage: {{ $redis.storage.size }}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1 # a moving shard is unavailable for seconds, so never move two shards of a service at once
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "selector" . | nindent 6 }}
{{- if .Values.redis.gkeStatefulHA }}{{ include "redis.gkeStatefulHA" . }}{{ end }}
{{- end }}

{{/* A GKE object that force-deletes the pod of a shard if the pod's node is lost. The object must have the same name as the StatefulSet. */}}
{{- define "redis.gkeStatefulHA" }}
---
apiVersion: ha.gke.io/v1
kind: HighAvailabilityApplication
metadata: {{- include "metadata" . | nindent 2 }}
spec:
  resourceSelection: {resourceKind: StatefulSet}
  policy:
    storageSettings: {requireRegionalStorage: true}
    failoverSettings:
      forceDeleteStrategy: AfterNodeUnreachable
      afterNodeUnreachable: {afterNodeUnreachableSeconds: 20}
{{- end }}

{{/* Fail if the cluster has more shards of the service than .shards. A shard counts if it runs, or if only its volume exists. Without a cluster
(helm template) the lookup finds nothing; then the instances refuse to start with fewer shards than are active. */}}
{{- define "redis.guard" }}
{{- $most := 0 }}
{{- $single := eq (include "replicas" .) "1" }}
{{- if $single }}
{{- with lookup "apps/v1" "StatefulSet" .Release.Namespace .name }}{{ $most = int .spec.replicas }}{{ end }}
{{- end }}
{{- $claim := printf "data-%s-" .name }}
{{- $unused := list }}
{{- range (lookup "v1" "PersistentVolumeClaim" .Release.Namespace "").items }}
{{- $index := trimPrefix $claim .metadata.name }}
{{- if and (hasPrefix $claim .metadata.name) (regexMatch (ternary "^[0-9]+$" "^[0-9]+-[0-2]$" $single) $index) }}
{{- $index = regexFind "^[0-9]+" $index }}
{{- $most = max $most (add1 (int $index)) | int }}
{{- if ge (int $index) $.shards }}{{ $unused = append $unused .metadata.name }}{{ end }}
{{- end }}
{{- end }}
{{- if gt $most .shards }}
{{- fail (printf "%s has %d shards: cannot reduce them to %d, because the data of a shard exists nowhere else. Only if you no longer need the data: uninstall, and delete the PersistentVolumeClaims %s" .service $most .shards (join " " $unused | default "of these shards")) }}
{{- end }}
{{- end }}

{{/* Variables of an instance about its Redis servers. */}}
{{- define "redis.env" -}}
{{- $redis := .Values.redis -}}
{{- $external := $redis.external -}}
{{- if or (not $external) $redis.existingSecret $redis.password -}}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "secretName" . | quote }}, key: {{ include "secretKey" . | quote }}}}
{{- end }}
{{- if not $external }}
- {name: REDIS_DISK, value: {{ $redis.storage.size }}}
{{- else }}
{{- with $external.username }}
- {name: REDIS_USERNAME, value: {{ . | quote }}}
{{- end }}
- {name: REDIS_TLS, value: {{ ternary "1" "0" ($external.tls | default false) | quote }}}
{{- if eq ($external.durable | default "always") "engine" }}
- {name: REDIS_DURABLE, value: engine}
{{- else if eq ($external.checkSettings | toString) "false" }}
- {name: REDIS_DURABLE, value: unchecked}
{{- end }}
{{- if $external.caSecret }}
- {name: SSL_CERT_FILE, value: /etc/redis-ca/ca.crt} # Go adds this CA to the certificates in /etc/ssl/certs
{{- end }}
{{- end }}
{{- end }}

{{- define "instance.mounts" -}}
{{- $ca := (.Values.redis.external).caSecret -}}
{{- if or $ca .pod.volumeMounts -}}
volumeMounts:
{{- if $ca }}
  - {name: redis-ca, mountPath: /etc/redis-ca, readOnly: true}
{{- end }}
{{- with .pod.volumeMounts }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}
{{- end }}

{{- define "instance.volumes" -}}
{{- $external := .Values.redis.external | default dict -}}
{{- if or $external.caSecret .pod.volumes -}}
volumes:
{{- if $external.caSecret }}
  - name: redis-ca
    secret: {secretName: {{ $external.caSecret | quote }}, items: [{key: {{ $external.caKey | default "ca.crt" | quote }}, path: ca.crt}]}
{{- end }}
{{- with .pod.volumes }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}
{{- end }}
