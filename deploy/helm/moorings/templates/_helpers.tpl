{{- define "moorings.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "moorings.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "moorings.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "moorings.selector" . }}
{{- end -}}

{{/* What the pods of the service and of the worker share. */}}
{{- define "moorings.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
terminationGracePeriodSeconds: {{ add .Values.drainSeconds .Values.shutdownSeconds 15 }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: data
    emptyDir: {sizeLimit: {{ .Values.data.sizeLimit }}}
  - name: tmp
    emptyDir: {}
  - name: secrets
    secret:
      secretName: {{ .Values.secrets.name }}
      defaultMode: 0440
      items:
        - {key: {{ .Values.secrets.keyset }}, path: keyset.json}
        {{- with .Values.secrets.firstKey }}
        - {key: {{ . }}, path: first-key}
        {{- end }}
{{- end -}}

{{- define "moorings.container" -}}
image: "{{ required "image.repository is required: an image that you built with deploy/Dockerfile" .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: tmp, mountPath: /tmp}
  - {name: secrets, mountPath: /secrets, readOnly: true}
env:
  - name: MOORINGS_DATABASE_URL
    valueFrom: {secretKeyRef: {name: {{ .Values.secrets.name }}, key: {{ .Values.secrets.databaseUrl }}}}
  {{- with .Values.secrets.rateLimitUrl }}
  - name: MOORINGS_RATE_LIMIT_URL
    valueFrom: {secretKeyRef: {name: {{ $.Values.secrets.name }}, key: {{ . }}}}
  {{- end }}
  - {name: MOORINGS_KEYSET, value: /secrets/keyset.json}
  # Kubernetes gives the group of the pod access to mounted secrets. No other user runs in it.
  - {name: MOORINGS_ALLOW_READABLE_FILES, value: "true"}
  {{- if .Values.secrets.firstKey }}
  - {name: MOORINGS_BOOTSTRAP_TOKEN_FILE, value: /secrets/first-key}
  {{- end }}
  - {name: MOORINGS_DATA_DIR, value: /data}
  - {name: MOORINGS_HOST, value: 0.0.0.0}
  - {name: MOORINGS_LOG_FORMAT, value: json}
  - {name: MOORINGS_SAMPLE, value: "false"}
  - {name: MOORINGS_DRAIN_SECONDS, value: {{ .Values.drainSeconds | quote }}}
  - {name: MOORINGS_SHUTDOWN_SECONDS, value: {{ .Values.shutdownSeconds | quote }}}
  - {name: MOORINGS_WORKER, value: {{ eq (int .Values.worker.replicas) 0 | quote }}}
  {{- range $name, $value := .Values.settings }}
  - {name: MOORINGS_{{ $name }}, value: {{ $value | quote }}}
  {{- end }}
{{- end -}}
