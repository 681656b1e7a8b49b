package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/crypto/bcrypt"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/monitor"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/secret"
)

// pages searches every response of the operators' pages.
func (p *planted) pages(ctx context.Context) (seen, hits int, err error) {
	hash, err := bcrypt.GenerateFromPassword([]byte("a password"), bcrypt.MinCost)
	if err != nil {
		return 0, 0, err
	}
	site, err := monitor.Open(ctx, monitor.Options{
		QueueURL: p.settings.Redis.Queue.Reveal(), LedgerURL: p.settings.LedgerURL.Reveal(),
		Logins: []access.Login{{Name: "ann", Role: access.Operator, Hash: secret.Value(hash)}},
	})
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = site.Close() }()
	h := site.Handler()
	form := url.Values{"name": {"ann"}, "password": {"a password"}}
	login := httptest.NewRequestWithContext(ctx, http.MethodPost, "/login", strings.NewReader(form.Encode()))
	login.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	in := httptest.NewRecorder()
	h.ServeHTTP(in, login)
	cookies := in.Result().Cookies()
	for _, path := range p.paths(ctx) {
		look, cancel := context.WithTimeout(ctx, 10*time.Second)
		r := httptest.NewRequestWithContext(look, http.MethodGet, path, nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		cancel()
		if answer.Code == http.StatusOK {
			seen++
		}
		if p.needles.In(answer.Body.Bytes()) {
			hits++
		}
	}
	return seen, hits, nil
}

// paths returns the page Now and every path that asynqmon's page requests, including each task of
// each lane.
func (p *planted) paths(ctx context.Context) []string {
	const api = "/asynqmon/api/"
	out := []string{"/now", "/asynqmon/", api + "queues", api + "servers", api + "redis_info", api + "queue_stats", api + "scheduler_entries"}
	inspector := asynq.NewInspectorFromRedisClient(p.queue)
	for _, lane := range queue.Lanes() {
		for _, state := range []string{"active", "pending", "scheduled", "retry", "archived", "completed"} {
			out = append(out, api+"queues/"+lane+"/"+state+"_tasks")
		}
		for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
			inspector.ListPendingTasks, inspector.ListScheduledTasks, inspector.ListRetryTasks, inspector.ListArchivedTasks,
		} {
			found, err := list(lane)
			if err != nil || ctx.Err() != nil {
				continue // a lane without tasks
			}
			for _, t := range found {
				out = append(out, api+"queues/"+lane+"/tasks/"+url.PathEscape(t.ID))
			}
		}
	}
	return out
}
