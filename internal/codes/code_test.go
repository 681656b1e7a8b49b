package codes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func TestOfReadsCodesAndNeverText(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		err  error
		want Code
	}{
		"nil":                   {nil, ""},
		"code":                  {Pace, "pace"},
		"wrapped code":          {fmt.Errorf("read patient 4711: %w", UnknownPractice), "unknown_practice"},
		"joined code":           {errors.Join(errors.New("x"), Pace), "pace"},
		"code of another":       {Code("roster_locked"), "roster_locked"},
		"by method":             {coded("denied"), "denied"},
		"outermost first":       {wrapper{"outer", Pace}, "outer"},
		"text of one word":      {errors.New("mustermann"), ""},
		"wrapped word":          {fmt.Errorf("patient: %w", errors.New("mustermann")), ""},
		"text that is a code's": {errors.New("pace"), ""},
		"method with a text":    {coded("Max Mustermann"), ""},
		"method with a number":  {coded("patient4711"), ""},
		"method with nothing":   {coded(""), ""},
	} {
		if got := Of(row.err); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

type coded string

func (coded) Error() string       { return "it failed" }
func (c coded) ErrorCode() string { return string(c) }

type wrapper struct {
	code string
	err  error
}

func (wrapper) Error() string       { return "it failed" }
func (w wrapper) ErrorCode() string { return w.code }
func (w wrapper) Unwrap() error     { return w.err }

func TestShownHidesWhatIsNotSpelledAsACode(t *testing.T) {
	t.Parallel()
	for text, want := range map[Code]Code{
		"":                              "",
		"pace":                          "pace",
		"roster_locked":                 "roster_locked",
		"Smith":                         Hidden,
		"patient4711":                   Hidden,
		"no patient":                    Hidden,
		"<script>":                      Hidden,
		"smith\n":                       Hidden,
		Code(strings.Repeat("a", 48)):   Code(strings.Repeat("a", 48)),
		Code(strings.Repeat("a", 48+1)): Hidden,
	} {
		if got := text.Shown(); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

func TestOfTasksLeavesOutProblems(t *testing.T) {
	t.Parallel()
	all := OfTasks()
	if !slices.IsSorted(all) || !slices.Contains(all, Pace) || !slices.Contains(all, Draining) || slices.Contains(all, Cold) {
		t.Errorf("codes of tasks: %q", all)
	}
	for _, c := range all {
		if c.Meaning() == "" {
			t.Errorf("%q has no meaning", c)
		}
	}
	if Cold.Meaning() == "" || Code("").Meaning() == "" || Code("roster_locked").Meaning() != "" {
		t.Error("a code of the table has no meaning, or another one has")
	}
}

func TestDefineRefusesCodesWithoutAMeaning(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ code, meaning Code }{
		"no meaning": {"new_code", ""},
		"malformed":  {"New Code", "it is new"},
		"twice":      {"pace", "it is new"},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: defined", name)
				}
			}()
			_ = define(row.code, string(row.meaning))
		}()
	}
}

func TestCodeIsAWordInJSONAndLogs(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(map[string]any{"code": Pace})
	if err != nil || string(data) != `{"code":"pace"}` {
		t.Errorf("JSON is %s, %v", data, err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("refused", "code", Pace)
	if !strings.Contains(log.String(), "code=pace") {
		t.Errorf("the log is %s", log.String())
	}
}
