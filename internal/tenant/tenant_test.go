package tenant

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a", "clinic-a", "7", strings.Repeat("x", MaxLen)} {
		if id, err := Parse(s); err != nil || id.String() != s {
			t.Errorf("Parse(%q) = %q, %v", s, id, err)
		}
	}
	for _, s := range []string{"", "-a", "A", "a b", "a:b", "a}b", "ä", "a\n", strings.Repeat("x", MaxLen+1)} {
		if _, err := Parse(s); err != ErrInvalid { //nolint:errorlint // identity is what the test is about
			t.Errorf("Parse(%q) = %v, want ErrInvalid", s, err)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	if got, want := ID("clinic-a").Key("c1", "d", "a:b", "x}y%"), "c1:{clinic-a}:d:a%3Ab:x%7Dy%25"; got != want {
		t.Errorf("Key = %q, want %q", got, want)
	}
	if got, want := GlobalKey("q1", "sync", "g", "k3"), "q1:{sync}:g:k3"; got != want {
		t.Errorf("GlobalKey = %q, want %q", got, want)
	}
}

func TestKeyOfInvalidTenantPanics(t *testing.T) {
	t.Parallel()
	for _, id := range []ID{"", "a}b", "UPPER"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Key of %q did not panic", string(id))
				}
			}()
			_ = id.Key("c1", "m")
		}()
	}
}

// Two keys are equal only if all their parts are. No choice of parts may produce the key of another
// tenant or of other parts.
func FuzzKeyIsInjective(f *testing.F) {
	f.Add("clinic-a", "d", "7", "clinic-b", "d", "7")
	f.Add("a", "x:y", "", "a", "x", "y:")
	f.Add("a", "%3A", "b", "a", ":", "b")
	f.Add("a", "}:b", "", "a", "", "}:b")
	f.Fuzz(func(t *testing.T, t1, p1, q1, t2, p2, q2 string) {
		id1, err1 := Parse(t1)
		id2, err2 := Parse(t2)
		if err1 != nil || err2 != nil {
			return
		}
		k1, k2 := id1.Key("c1", p1, q1), id2.Key("c1", p2, q2)
		same := slices.Equal([]string{t1, p1, q1}, []string{t2, p2, q2})
		if (k1 == k2) != same {
			t.Fatalf("%q and %q from %q %q %q and %q %q %q", k1, k2, t1, p1, q1, t2, p2, q2)
		}
		if strings.Count(k1, "{") != 1 || strings.Count(k1, "}") != 1 || !strings.HasPrefix(k1, "c1:{"+t1+"}:") {
			t.Fatalf("hash tag of %q is not the tenant", k1)
		}
	})
}
