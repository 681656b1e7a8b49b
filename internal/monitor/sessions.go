package monitor

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	sessionIdle  = time.Hour      // without a request
	sessionLife  = 12 * time.Hour // in any case
	redisTimeout = 2 * time.Second
)

// errNoSession means that the token has no session, or that its session has ended.
var errNoSession = errors.New("no session")

// sessions are stored in Redis, so that they are valid in every monitor process and a logout ends
// them in all.
type sessions struct {
	rdb redis.UniversalClient
}

// sessionKey contains the token's digest, so that access to Redis does not give access to sessions.
func sessionKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return tenant.GlobalKey("m1", "sessions", hex.EncodeToString(sum[:]))
}

// begin returns the token of a new session.
func (s sessions) begin(ctx context.Context, name, fingerprint string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	token := rand.Text()
	value := strings.Join([]string{name, fingerprint, strconv.FormatInt(time.Now().Unix(), 10)}, " ")
	if err := s.rdb.Set(ctx, sessionKey(token), value, sessionIdle).Err(); err != nil {
		return "", fmt.Errorf("begin session: %w", maskError(err))
	}
	return token, nil
}

// of returns the login's name and fingerprint for a token. A page request keeps the session alive;
// an open stream does not.
func (s sessions) of(ctx context.Context, token string, keepAlive bool) (name, fingerprint string, err error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	var value string
	if keepAlive {
		value, err = s.rdb.GetEx(ctx, sessionKey(token), sessionIdle).Result()
	} else {
		value, err = s.rdb.Get(ctx, sessionKey(token)).Result()
	}
	switch {
	case errors.Is(err, redis.Nil):
		return "", "", errNoSession
	case err != nil:
		return "", "", fmt.Errorf("read session: %w", maskError(err))
	}
	fields := strings.Fields(value)
	if len(fields) != 3 {
		return "", "", errNoSession
	}
	began, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || time.Since(time.Unix(began, 0)) > sessionLife {
		return "", "", errNoSession
	}
	return fields[0], fields[1], nil
}

func (s sessions) end(ctx context.Context, token string) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	if err := s.rdb.Del(ctx, sessionKey(token)).Err(); err != nil {
		return fmt.Errorf("end session: %w", maskError(err))
	}
	return nil
}

// errRedis replaces the client's errors, which contain addresses.
var errRedis = errors.New("redis does not answer")

// maskError keeps cancellations and hides everything else.
func maskError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return context.Canceled
	}
	return errRedis
}
