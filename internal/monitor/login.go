package monitor

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/workflow-bolt/rounds/internal/access"
)

const (
	maxLoginBody = 4 << 10
	maxToken     = 64
)

// cookieName returns the cookie's name. In production its prefix makes browsers accept the cookie
// only over TLS and only for this host.
func (m *Monitor) cookieName() string {
	if m.secure {
		return "__Host-rounds"
	}
	return "rounds"
}

func (m *Monitor) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is off only in dev, which has no TLS
		Name: m.cookieName(), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: m.secure, SameSite: http.SameSiteStrictMode,
	}
}

func (m *Monitor) token(r *http.Request) string {
	c, err := r.Cookie(m.cookieName())
	if err != nil || len(c.Value) > maxToken {
		return ""
	}
	return c.Value
}

// session returns the login of the request's session, errNoSession, or an error if Redis does not
// answer.
func (m *Monitor) session(r *http.Request, keepAlive bool) (access.Login, error) {
	token := m.token(r)
	if token == "" {
		return access.Login{}, errNoSession
	}
	name, fingerprint, err := m.sessions.of(r.Context(), token, keepAlive)
	if err != nil {
		return access.Login{}, err
	}
	user, ok := m.logins.Resume(name, fingerprint)
	if !ok {
		return access.Login{}, errNoSession
	}
	return user, nil
}

// sessionHandler handles a request with a valid session.
type sessionHandler func(w http.ResponseWriter, r *http.Request, user access.Login)

// requireSession passes only requests with a session to the handler. Without one, page requests are
// redirected to the login page and all others are rejected.
func (m *Monitor) requireSession(next sessionHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := m.session(r, true)
		switch {
		case errors.Is(err, errNoSession) && r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html"):
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		case errors.Is(err, errNoSession):
			http.Error(w, "log in first", http.StatusUnauthorized)
		case err != nil:
			http.Error(w, "the queue's Redis does not answer, so sessions cannot be checked", http.StatusServiceUnavailable)
		default:
			auditRecordOf(r.Context()).user = user
			next(w, r, user)
		}
	})
}

func (m *Monitor) loginPage(w http.ResponseWriter, r *http.Request) {
	if _, err := m.session(r, true); err == nil {
		http.Redirect(w, r, "/now", http.StatusSeeOther)
		return
	}
	m.pages.write(w, http.StatusOK, "login", loginView{})
}

// loginView is the data of the login page.
type loginView struct {
	Title   string
	Problem string // why the last attempt failed; empty before the first
}

func (m *Monitor) login(w http.ResponseWriter, r *http.Request) {
	d := auditRecordOf(r.Context())
	d.operation = "login"
	r.Body = http.MaxBytesReader(w, r.Body, maxLoginBody)
	if err := r.ParseForm(); err != nil {
		m.pages.write(w, http.StatusBadRequest, "login", loginView{Problem: "The login form could not be read. Try again."})
		return
	}
	name := r.PostForm.Get("name")
	if l, known := m.logins.Find(name); known {
		d.user = l // an unknown name is not logged: it may be a password typed into the wrong field
	}
	user, err := m.logins.Authenticate(r.Context(), name, r.PostForm.Get("password"))
	switch {
	case errors.Is(err, access.ErrTooManyAttempts):
		w.Header().Set("Retry-After", strconv.Itoa(int(access.AttemptInterval.Seconds())))
		m.pages.write(w, http.StatusTooManyRequests, "login", loginView{Problem: "Too many attempts. Wait a moment, then try again."})
		return
	case err != nil:
		m.pages.write(w, http.StatusUnauthorized, "login", loginView{Problem: "Name or password is wrong."})
		return
	}
	token, err := m.sessions.begin(r.Context(), user.Name, user.Fingerprint())
	if err != nil {
		m.pages.write(w, http.StatusServiceUnavailable, "login", loginView{Problem: "The queue's Redis does not answer. Logging in is not possible until it does."})
		return
	}
	http.SetCookie(w, m.cookie(token, int(sessionLife.Seconds())))
	http.Redirect(w, r, "/now", http.StatusSeeOther)
}

func (m *Monitor) logout(w http.ResponseWriter, r *http.Request, _ access.Login) {
	auditRecordOf(r.Context()).operation = "logout"
	if err := m.sessions.end(r.Context(), m.token(r)); err != nil {
		http.Error(w, "the queue's Redis does not answer: the session is still active", http.StatusServiceUnavailable)
		return
	}
	http.SetCookie(w, m.cookie("", -1))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
