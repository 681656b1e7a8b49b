package queue

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// coded finds the codes that tasks wait and die with, where they are made.
var coded = regexp.MustCompile(`errors\.New\("([a-z_]+)"\)|Later\([^"\n]*"([a-z_]+)"\)|\b[Cc]ode[A-Z]\w* *= *"([a-z_]+)"`)

// vendorCode finds the vendor client's, which get a prefix on the way; what is told to observers alone says so.
var vendorCode = regexp.MustCompile(`(?m)^\t\w+ +Code = "([a-z_]+)" +// (.*)`)

func TestEveryCodeHasAMeaning(t *testing.T) {
	t.Parallel()
	look := func(dir string, found *regexp.Regexp, take func(m []string) string) (n int) {
		files, err := filepath.Glob(filepath.Join("..", "..", dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range found.FindAllStringSubmatch(string(text), -1) {
				if code := take(m); code != "" {
					if n++; Meaning(code) == "" {
						t.Errorf("%s makes the code %q, and nobody says what it means", file, code)
					}
				}
			}
		}
		return n
	}
	for _, dir := range []string{"tasks", "internal/work", "internal/app", "internal/queue"} {
		if look(dir, coded, func(m []string) string { return strings.Join(m[1:], "") }) == 0 {
			t.Errorf("%s makes no code any more: look elsewhere", dir)
		}
	}
	if n := look("integrations/tebra", vendorCode, func(m []string) string {
		if m[1] == "canceled" || strings.Contains(m[2], "never in an Error") {
			return "" // a run that is cut off says so itself
		}
		return "vendor_" + m[1]
	}); n < 10 {
		t.Errorf("the vendor's client makes %d codes", n)
	}
}

func TestCodesHaveAMeaning(t *testing.T) {
	t.Parallel()
	codes := Codes()
	if !slices.Contains(codes, "pace") || !slices.Contains(codes, CodeHidden) || slices.Contains(codes, "") || !slices.IsSorted(codes) {
		t.Errorf("the codes are %q", codes)
	}
	for _, code := range codes {
		if Meaning(code) == "" || CodeOf(code) != code {
			t.Errorf("%q means %q, and is shown as %q", code, Meaning(code), CodeOf(code))
		}
	}
	if Meaning("") == "" || Meaning("nonsense") != "" {
		t.Errorf("%q, %q", Meaning(""), Meaning("nonsense"))
	}
}
