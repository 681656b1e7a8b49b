package redistest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestStartUsesConfigurationAndUsers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config, acl := filepath.Join(dir, "redis.conf"), filepath.Join(dir, "users.acl")
	for name, text := range map[string]string{
		config: "maxmemory-policy volatile-lru\nsave \"\"\nport 6379\n",
		acl:    "user default off resetpass resetkeys -@all\nuser reader on >pass %R~a:* -@all +get\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := redistest.Start(t, config, acl, "--maxclients", "50")
	o, err := redis.ParseURL(s.RootURL())
	if err != nil {
		t.Fatal(err)
	}
	rooted := redis.NewClient(o)
	t.Cleanup(func() { _ = rooted.Close() })
	set, err := rooted.ConfigGet(t.Context(), "max*").Result()
	if err != nil || set["maxmemory-policy"] != "volatile-lru" || set["maxclients"] != "50" {
		t.Errorf("the server runs with %v, %v", set, err)
	}
	reader := s.Client(t, "reader", "pass")
	if err := reader.Get(t.Context(), "a:1").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("an allowed command: %v", err)
	}
	for _, err := range []error{
		reader.Get(t.Context(), "b:1").Err(), reader.Set(t.Context(), "a:1", "", 0).Err(), s.Client(t, "", "").Ping(t.Context()).Err(),
	} {
		if err == nil {
			t.Error("the server allowed a command that the ACL file forbids")
		}
	}
	refused := strings.Join(s.Refusals(t), "\n")
	for _, want := range []string{"reader key b:1", "reader command set"} {
		if !strings.Contains(refused, want) {
			t.Errorf("%q is not among the refusals:\n%s", want, refused)
		}
	}
}
