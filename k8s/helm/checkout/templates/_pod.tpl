{{/* Settings of every pod. Together with the security contexts below they meet the restricted Pod Security Standard. */}}
{{- define "pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- range . }}
  - name: {{ . }}
{{- end }}{{ end }}
{{- with .Values.priorityClass }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
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

{{- define "resources" -}}
resources:
  requests: {cpu: {{ .cpu }}, memory: {{ .memoryMi }}Mi}
  limits: {memory: {{ .memoryMi }}Mi}
{{- end }}

{{/* A Service for one pod of a StatefulSet. The address of the Service stays the same when the pod moves. It also routes to a
pod that is not ready, because clients detect a failure sooner than a probe does. */}}
{{- define "address" }}
---
apiVersion: v1
kind: Service
metadata: {{- include "metadata" (merge (dict "as" (printf "%s-%d" .name .index)) .) | nindent 2 }}
spec:
  publishNotReadyAddresses: true
  selector:
    {{- include "selector" . | nindent 4 }}
    apps.kubernetes.io/pod-index: {{ .index | quote }}
  ports: {{- toYaml .ports | nindent 4 }}
{{- end }}
