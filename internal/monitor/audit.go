package monitor

import (
	"context"
	"net/http"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// deed is what the log says of a request that may change something. Handlers fill it in as they find out.
type auditRecord struct {
	user      access.Login
	operation string // "login", "sync:pause" without the lane: "pause", "archived_tasks:run"
	lane      string
	task      string
	tasks     int // how many it was about, when it was not one
}

type auditRecordKey struct{}

// deedOf returns the deed of the request's context. Outside of a request that is logged it goes nowhere.
func auditRecordOf(ctx context.Context) *auditRecord {
	if d, ok := ctx.Value(auditRecordKey{}).(*auditRecord); ok {
		return d
	}
	return &auditRecord{}
}

// audited writes a line for every request that is no plain reading, refused ones included.
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
		m.log.InfoContext(ctx, "somebody acted", append(d.attrs(), "status", rec.status)...)
	})
}

// attrs leaves out what is not known. An ID that is not one of ours is not repeated: strangers choose theirs.
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

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find what is beneath.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
