package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
)

func newConfig(e *env) *cobra.Command {
	return e.group("config", "Look at a process's environment", newConfigShow(e), newConfigValidate(e))
}

// processes are listed in texts.
func processes() string { return strings.Join(config.Processes(), ", ") }

func newConfigShow(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "show PROCESS",
		Short: "Say what the environment tells a process, secrets masked",
		Long: `Say what the environment tells a process (` + processes() + `): every variable that it reads, its
value, and where the value comes from. What may be secret is masked; of a URL that is not spelt as it should be,
everything is.`,
		Example: "  rounds config show worker\n  rounds config show gateway --json",
		Args:    names("PROCESS"), ValidArgs: config.Processes(),
		RunE: func(_ *cobra.Command, args []string) error {
			doc, err := e.settings(args[0])
			if err != nil {
				return err
			}
			if len(doc.Problems) > 0 {
				e.printf("%d problems: rounds config validate %s", len(doc.Problems), args[0])
			}
			return e.answer(doc, doc.write)
		},
	}
}

func newConfigValidate(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "validate PROCESS",
		Short: "Say everything that is wrong with a process's environment",
		Long: `Say everything that is wrong with the environment of a process (` + processes() + `), each with its
remedy, without starting it: every variable and the files it names. No value is repeated. Whether servers answer is
for "rounds doctor" to say. Exit code 7 says that something is wrong.`,
		Example: "  rounds config validate worker --json",
		Args:    names("PROCESS"), ValidArgs: config.Processes(),
		RunE: func(_ *cobra.Command, args []string) error {
			doc, err := e.settings(args[0])
			if err != nil {
				return err
			}
			if err := e.answer(doc, doc.writeProblems); err != nil || doc.OK {
				return err
			}
			return checkFailed("the environment is not usable")
		},
	}
}

// configDoc is what the environment tells a process.
type configDoc struct {
	Process  string       `json:"process"`
	OK       bool         `json:"ok"` // the process would start, as far as the environment goes
	Settings []settingDoc `json:"settings"`
	Problems []problemDoc `json:"problems"`
}

type settingDoc struct {
	Variable string `json:"variable"`
	Value    string `json:"value"` // masked where it may be secret
	Source   string `json:"source"`
}

type problemDoc struct {
	Variable string `json:"variable"`
	Wrong    string `json:"wrong"`
	Fix      string `json:"fix"`
}

func (e *env) settings(process string) (configDoc, error) {
	if !slices.Contains(config.Processes(), process) {
		f := usage("there is no such process")
		f.Found = []string{"the processes are " + processes()}
		return configDoc{}, f
	}
	all, err := config.Show(process, e.getenv)
	doc := configDoc{Process: process, OK: err == nil, Settings: make([]settingDoc, 0, len(all)), Problems: []problemDoc{}}
	for _, s := range all {
		doc.Settings = append(doc.Settings, settingDoc(s))
	}
	wrong, ok := errors.AsType[*config.Error](err)
	if err != nil && !ok {
		return configDoc{}, err
	}
	if ok {
		for _, p := range wrong.Problems() {
			doc.Problems = append(doc.Problems, problemDoc(p))
		}
	}
	return doc, nil
}

func (d configDoc) write(w io.Writer) {
	table(w, []string{"VARIABLE", "VALUE", "FROM"}, d.Settings, func(s settingDoc) []string {
		return []string{s.Variable, s.Value, s.Source}
	})
}

func (d configDoc) writeProblems(w io.Writer) {
	if d.OK {
		_, _ = fmt.Fprintf(w, "%s: nothing is wrong with its environment\n", d.Process)
	}
	for _, p := range d.Problems {
		_, _ = fmt.Fprintf(w, "%s %s\n", p.Variable, p.Wrong)
		var b strings.Builder
		lines(&b, "fix", []string{p.Fix})
		_, _ = io.WriteString(w, b.String())
	}
}
