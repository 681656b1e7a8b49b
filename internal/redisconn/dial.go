package redisconn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options set how the clients of one Redis behave. The zero value is for the queue.
type Options struct {
	// Role sets how often a failed command is repeated. A client of the queue never repeats one: a
	// script that ran and whose reply was lost must not run again unnoticed. A client of the cache
	// repeats a command twice.
	Role Role
	// PoolSize is the maximum of connections to each node. Defaults to 10 per CPU.
	PoolSize int
	// Timeout bounds one command, from the write to the reply. Defaults to 3 s, a tenth of asynq's
	// lease.
	Timeout time.Duration
}

const (
	defaultTimeout = 3 * time.Second
	dialTimeout    = 2 * time.Second
	cacheRetries   = 2
	// clusterReload is how old the client's map of a cluster may be. A pipeline to a primary that
	// died fails until the map is read again.
	clusterReload = 2 * time.Second
)

// ErrURL is returned by Dial for a URL that it cannot use. Its text never quotes the URL, which may
// hold a password.
var ErrURL = errors.New("not a redis url")

// Dial returns a client for
//
//	redis://[user:password@]host[:6379][/db]           one server
//	rediss://…                                          the same over TLS 1.2+
//	unix://[user:password@]/path/to.sock[?db=n]
//	redis+sentinel://[user:password@]host:26379[,host…]/master[/db]
//	redis+cluster://[user:password@]host:6379[,host…]
//
// The user and password of a sentinel URL belong to the data servers; the query parameters
// sentinel_user and sentinel_password belong to the sentinels. Sentinel and cluster use TLS with
// ?tls=true.
//
// Dial does not connect; the client connects at the first command, so that a process can start, and
// report that it waits, while Redis is unreachable.
func Dial(rawURL string, o Options) (redis.UniversalClient, error) {
	mute()
	c, err := dial(rawURL, o)
	if err != nil {
		return nil, fmt.Errorf("dial %s redis: %w", o.Role, err)
	}
	return markDials(c), nil
}

// mute stops the client library from writing to stderr. Failures are returned as errors; the
// library's lines name addresses and repeat for each connection.
var mute = sync.OnceFunc(func() { redis.SetLogger(&logging.VoidLogger{}) })

func dial(rawURL string, o Options) (redis.UniversalClient, error) {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	scheme, _, _ := strings.Cut(rawURL, "://")
	switch scheme {
	case "redis", "rediss", "unix":
		opts, err := redis.ParseURL(rawURL)
		if err != nil {
			return nil, ErrURL
		}
		o.apply(opts)
		return redis.NewClient(opts), nil
	case "redis+sentinel", "redis+cluster":
		u, err := parseMulti(rawURL)
		if err != nil {
			return nil, err
		}
		if scheme == "redis+cluster" {
			return u.cluster(o)
		}
		return u.sentinel(o)
	}
	return nil, fmt.Errorf("%w: scheme is not one of redis, rediss, unix, redis+sentinel, redis+cluster", ErrURL)
}

// apply sets what a URL must not set. It turns off the identity and maintenance commands on new
// connections, which older servers log as errors.
func (o Options) apply(opts *redis.Options) {
	opts.ContextTimeoutEnabled = true
	opts.MaxRetries = o.retries()
	opts.DialTimeout, opts.DialerRetries = dialTimeout, 1
	opts.ReadTimeout, opts.WriteTimeout = o.Timeout, o.Timeout
	opts.PoolSize, opts.PoolTimeout = o.PoolSize, o.Timeout
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if opts.TLSConfig != nil {
		opts.TLSConfig.MinVersion = tls.VersionTLS12
	}
}

func (o Options) retries() int {
	if o.Role == RoleCache {
		return cacheRetries
	}
	return -1
}

// multiURL is a URL of several hosts.
type multiURL struct {
	hosts                          []string
	user, password                 string
	sentinelUser, sentinelPassword string
	path                           []string
	tls                            bool
}

func parseMulti(rawURL string) (multiURL, error) {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	// net/url accepts one host, so a placeholder replaces the list while the URL is parsed.
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	userinfo, list := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		userinfo, list = authority[:i+1], authority[i+1:]
	}
	hosts := strings.Split(list, ",")
	u, err := url.Parse(scheme + "://" + userinfo + "host" + tail)
	if err != nil || u.Fragment != "" {
		return multiURL{}, ErrURL
	}
	port := "6379"
	if scheme == "redis+sentinel" {
		port = "26379"
	}
	m := multiURL{user: u.User.Username(), path: strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })}
	m.password, _ = u.User.Password()
	for _, h := range hosts {
		if h == "" {
			return multiURL{}, fmt.Errorf("%w: a host is empty", ErrURL)
		}
		if _, _, err := net.SplitHostPort(h); err != nil {
			h = net.JoinHostPort(strings.Trim(h, "[]"), port)
		}
		m.hosts = append(m.hosts, h)
	}
	if err := m.readQuery(u.Query()); err != nil {
		return multiURL{}, err
	}
	return m, nil
}

// readQuery takes the parameters that a URL of several hosts may have.
func (m *multiURL) readQuery(query url.Values) (err error) {
	for name, values := range query {
		value := values[len(values)-1]
		switch name {
		case "tls":
			if m.tls, err = strconv.ParseBool(value); err != nil {
				return fmt.Errorf("%w: tls is neither true nor false", ErrURL)
			}
		case "sentinel_user":
			m.sentinelUser = value
		case "sentinel_password":
			m.sentinelPassword = value
		default:
			return fmt.Errorf("%w: unknown parameter", ErrURL)
		}
	}
	return nil
}

func (m multiURL) tlsConfig() *tls.Config {
	if !m.tls {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}
}

func (m multiURL) cluster(o Options) (redis.UniversalClient, error) {
	if len(m.path) > 0 {
		return nil, fmt.Errorf("%w: a cluster has no database number", ErrURL)
	}
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: m.hosts, Username: m.user, Password: m.password, TLSConfig: m.tlsConfig(),
		ContextTimeoutEnabled: true, MaxRetries: o.retries(), DialTimeout: dialTimeout, DialerRetries: 1,
		ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, PoolTimeout: o.Timeout, PoolSize: o.PoolSize,
		DisableIdentity: true, ClusterStateReloadInterval: clusterReload,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}), nil
}

func (m multiURL) sentinel(o Options) (redis.UniversalClient, error) {
	if len(m.path) < 1 || len(m.path) > 2 {
		return nil, fmt.Errorf("%w: a sentinel url ends in /master or /master/db", ErrURL)
	}
	db := 0
	if len(m.path) == 2 {
		var err error
		if db, err = strconv.Atoi(m.path[1]); err != nil || db < 0 {
			return nil, fmt.Errorf("%w: database is not a number", ErrURL)
		}
	}
	return redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: m.path[0], SentinelAddrs: m.hosts, DB: db, TLSConfig: m.tlsConfig(),
		Username: m.user, Password: m.password, SentinelUsername: m.sentinelUser, SentinelPassword: m.sentinelPassword,
		ContextTimeoutEnabled: true, MaxRetries: o.retries(), DialTimeout: dialTimeout, DialerRetries: 1,
		ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, PoolTimeout: o.Timeout, PoolSize: o.PoolSize,
		DisableIdentity: true,
	}), nil
}
