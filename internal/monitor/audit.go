package monitor

import (
	"context"
	"net/http"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// auditRecord is the log entry of a request that may change something. Handlers fill it in as they
// parse the request.
type auditRecord struct {
	user      access.Login
	operation string // "login", "sync:pause" without the lane: "pause", "archived_tasks:run"
	lane      string
	task      string
	tasks     int // number of tasks, if not one
}

type auditRecordKey struct{}

// auditRecordOf returns the record of the request's context. Without one it returns a record that
// is never logged.
func auditRecordOf(ctx context.Context) *auditRecord {
	if d, ok := ctx.Value(auditRecordKey{}).(*auditRecord); ok {
		return d
	}
	return &auditRecord{}
}

// withAuditLog logs every request that is not a plain read, rejected ones included.
func (m *Monitor) withAuditLog(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		d := &auditRecord{operation: "unknown"}
		rec := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		ctx := context.WithValue(r.Context(), auditRecordKey{}, d)
		next.ServeHTTP(rec, r.WithContext(ctx))
		m.log.InfoContext(ctx, "operator request", append(d.attrs(), "status", rec.status)...)
	})
}

// attrs omits what is not known. It also omits an ID that this project did not create, since
// clients can send any text.
func (d *auditRecord) attrs() []any {
	out := []any{"operation", d.operation}
	if d.user.Name != "" {
		out = append(out, "operator", d.user.Name, "role", string(d.user.Role))
	}
	if d.lane != "" {
		out = append(out, "lane", d.lane)
	}
	if _, err := queue.ParseID(d.task); err == nil {
		out = append(out, "task", d.task)
	}
	if d.tasks > 0 {
		out = append(out, "tasks", d.tasks)
	}
	return out
}

// statusWriter records the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.ResponseController access to the underlying writer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
