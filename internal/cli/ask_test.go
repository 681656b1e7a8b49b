package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestConfirm(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{
		"y\n": true, "YES\n": true, "\ty \n": true, "\n": false, "n\n": false, "": false, "yesterday\n": false,
		strings.Repeat("y", 1<<20): false,
	} {
		var asked bytes.Buffer
		e := &env{stdin: strings.NewReader(answer), stderr: &asked, interactive: true}
		err := e.confirm(false, "Sure?")
		if (err == nil) != want || !strings.HasPrefix(asked.String(), "Sure? [y/N] ") {
			t.Errorf("%.10q: %v, asked %q", answer, err, asked.String())
		}
		if f, ok := errors.AsType[*failure](err); !want && (!ok || f.Code != "DECLINED" || f.Exit != exitFailed) {
			t.Errorf("%.10q: %v", answer, err)
		}
	}
	for _, e := range []*env{{interactive: false}, {interactive: true, json: true}} {
		if f, ok := errors.AsType[*failure](e.confirm(false, "Sure?")); !ok || f.Exit != exitUsage {
			t.Errorf("%+v: asked for confirmation", e)
		}
		if err := e.confirm(true, "Sure?"); err != nil {
			t.Errorf("--yes: %v", err)
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	quick := (&env{stderr: &out, getenv: getenv(nil)}).progress("removed")
	quick.at(5, 10)
	quick.end()
	if out.Len() > 0 || quick.inPlace || quick.every != progressLine {
		t.Errorf("progress of a short operation: %q", out.String())
	}
	lines := &progress{out: &out, what: "removed"}
	lines.at(50, 200)
	lines.at(0, 0)
	lines.next = time.Now().Add(time.Hour)
	lines.at(150, 200)
	lines.end()
	if out.String() != "removed: 50 of 200 (25 %)\nremoved: 0 of 0 (0 %)\n" {
		t.Errorf("in a log: %q", out.String())
	}
	out.Reset()
	place := &progress{out: &out, what: "removed", inPlace: true}
	const long, short = "removed: 100 of 200 (50 %)", "removed: 2 of 2 (100 %)"
	place.at(100, 200)
	place.at(2, 2)
	place.end()
	place.end()
	blank := func(n int) string { return strings.Repeat(" ", n) }
	if out.String() != "\r"+long+"\r"+short+blank(len(long)-len(short))+"\r"+blank(len(short))+"\r" {
		t.Errorf("at a terminal: %q", out.String())
	}
}
