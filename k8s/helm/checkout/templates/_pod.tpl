{{/* Metadata of a pod. .pod: machine.pod, redis.pod or gateway.pod from the values */}}
{{- define "pod.metadata" -}}
labels:
  {{- include (ternary "selector.index" "selector" (hasKey . "index")) . | nindent 2 }}
  {{- with (.pod).labels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- with (.pod).annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "serviceAccount" -}}
{{ (.Values.serviceAccount).name | default (ternary "checkout" "" ((.Values.serviceAccount).create | default false)) }}
{{- end }}

{{/* Settings of every pod. These settings and the security contexts below meet the restricted Pod Security Standard. .pod:
machine.pod, redis.pod or gateway.pod from the values, if any. .account: a service account; its token is mounted.
.stateless: replace the pod soon if its node is lost */}}
{{- define "pod" -}}
automountServiceAccountToken: {{ not (empty .account) }}
{{- with .account | default (include "serviceAccount" .) }}
serviceAccountName: {{ . | quote }}
{{- end }}
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- range . }}
  - name: {{ . | quote }}
{{- end }}{{ end }}
{{- with .Values.priorityClass }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with merge (dict) ((.pod).nodeSelector | default dict) (.Values.nodeSelector | default dict) }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat (include "tolerations" . | fromYamlArray) (.Values.tolerations | default list) ((.pod).tolerations | default list) }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with (.pod).affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "tolerations" -}}
{{- if .stateless }}
{{- range list "unreachable" "not-ready" }}
- {key: node.kubernetes.io/{{ . }}, operator: Exists, effect: NoExecute, tolerationSeconds: {{ $.Values.lostNodeSeconds | default 5 | int64 }}}
{{- end }}
{{- else }}
[]
{{- end }}
{{- end }}

{{/* Spread the pods over nodes and zones if possible. */}}
{{- define "spread" -}}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "selector" $ | nindent 8 }}
{{- end }}
{{- end }}

{{- define "podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .group | default .user }}
{{- with .group }}
  fsGroup: {{ . }}
  fsGroupChangePolicy: OnRootMismatch
{{- end }}
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Helm reads a number in a values file as a float64, and prints 1000000 as 1e+06. So convert each number to int64. */}}
{{- define "resources" -}}
resources:
  requests: {cpu: {{ .cpu }}, memory: {{ int64 .memoryMi }}Mi}
  limits: {memory: {{ int64 .memoryMi }}Mi}
{{- end }}

{{/* A Service for the pod with number .index. The Service's address stays the same when the pod is replaced. .unready: the Service also
routes to a pod that is not ready. Kubernetes treats such a pod as usable even if the pod is terminating on a lost node. So only a
StatefulSet may have .unready, because a StatefulSet never runs a second pod with the same number. */}}
{{- define "address" }}
---
apiVersion: v1
kind: Service
metadata: {{- include "metadata" (merge (dict "as" (printf "%s-%d" .name .index) "extra" .services) .) | nindent 2 }}
spec:
  {{- if .unready }}
  publishNotReadyAddresses: true # clients detect a failure sooner than a probe
  {{- end }}
  selector: {{- include "selector.index" . | nindent 4 }}
  ports: {{- toYaml .ports | nindent 4 }}
{{- end }}
