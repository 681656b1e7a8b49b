package cache

import (
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestClassCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*Class{
		"none":              nil,
		"nameless":          {Hard: time.Hour},
		"name with a space": {Name: "Patient 7", Hard: time.Hour},
		"long name":         {Name: strings.Repeat("x", 41), Hard: time.Hour},
		"schema":            {Name: "c", Hard: time.Hour, Schema: -1},
		"no hard":           {Name: "c"},
		"hard":              {Name: "c", Hard: MaxHard + 1},
		"soft":              {Name: "c", Hard: time.Hour, Soft: time.Hour + 1},
		"negative":          {Name: "c", Hard: time.Hour, Negative: -1},
		"lease":             {Name: "c", Hard: time.Hour, Lease: maxFillAge + 1},
	} {
		if err := c.check(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := (&Class{Name: "day-board", Hard: time.Hour}).check(); err != nil {
		t.Error(err)
	}
}

func TestKeyNames(t *testing.T) {
	t.Parallel()
	k := Key{Tenant: "clinic-a", Class: &Class{Name: "day-board", Schema: 3, Hard: time.Hour}, ID: "abc"}
	if got := k.entry(); got != "c1:{clinic-a}:d:day-board:3:-:abc" {
		t.Error(got)
	}
	if got := k.lease(); got != "c1:{clinic-a}:l:day-board:3:-:abc" {
		t.Error(got)
	}
	for name, bad := range map[string]Key{
		"no tenant":  {Class: k.Class, ID: "abc"},
		"bad tenant": {Tenant: tenant.ID("A{}"), Class: k.Class, ID: "abc"},
		"no class":   {Tenant: "clinic-a", ID: "abc"},
		"no id":      {Tenant: "clinic-a", Class: k.Class},
	} {
		if err := bad.check(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTagOf(t *testing.T) {
	t.Parallel()
	if got, want := TagOf(ref(1)), (Tag{0x5a, 0x4f, 0x4e, 0xce, 0x24, 0xab, 0xa4, 0xa6}); got != want {
		t.Errorf("TagOf = %#v: tags of other releases would no longer match", got)
	}
	seen := make(map[Tag]phi.Ref)
	for n := range 1000 {
		r := ref(n)
		if other, ok := seen[TagOf(r)]; ok {
			t.Fatalf("%s and %s have the same tag", r, other)
		}
		seen[TagOf(r)] = r
	}
}

func TestNewNamesEachMissingOption(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Retain: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"redis", "key", "sealer", "retain"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
