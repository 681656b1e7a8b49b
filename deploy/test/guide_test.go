package deploytest

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestGuideCoversManifests checks that the README sets every placeholder, makes every secret, and
// grants each secret only to the accounts whose manifests name it.
func TestGuideCoversManifests(t *testing.T) {
	t.Parallel()
	guide := read(t, "deploy/cloudrun/README.md")
	_, list, _ := strings.Cut(guide, "envsubst '")
	list, _, _ = strings.Cut(list, "'")
	var placed []string
	for word := range strings.FieldsSeq(list) {
		placed = append(placed, strings.TrimPrefix(word, "$"))
		if !strings.Contains(guide, word[1:]+"=") {
			t.Errorf("the README sets no %s", word)
		}
	}
	if want := slices.Sorted(maps.Keys(settings)); !slices.Equal(slices.Sorted(slices.Values(placed)), want) {
		t.Errorf("the README puts %q into the manifests, which need %q", placed, want)
	}
	secret := regexp.MustCompile(`(?:secretName|secretKeyRef: \{name): (rounds-[a-z-]+)`)
	for name := range manifests {
		_, row, ok := strings.Cut(guide, "| `rounds-"+name+"` | ")
		row, _, _ = strings.Cut(row, "\n")
		granted := regexp.MustCompile("`([a-z*-]+)`").FindAllStringSubmatch(row, -1)
		if !ok || len(granted) == 0 {
			t.Errorf("the README does not list the secrets of rounds-%s", name)
		}
		used := map[string]bool{}
		for _, m := range secret.FindAllStringSubmatch(read(t, "deploy/cloudrun/"+name+".yaml"), -1) {
			i := slices.IndexFunc(granted, func(g []string) bool { ok, _ := path.Match(g[1], m[1]); return ok })
			if i < 0 {
				t.Errorf("rounds-%s may not read %s", name, m[1])
				continue
			}
			used[granted[i][1]] = true
		}
		if len(used) != len(granted) {
			t.Errorf("rounds-%s may read %q and needs %q", name, row, slices.Sorted(maps.Keys(used)))
		}
	}
}
