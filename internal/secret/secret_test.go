package secret_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/secret"
)

func TestValueMasksItself(t *testing.T) {
	t.Parallel()
	const plain = "hunter2-do-not-print"
	v := secret.Value(plain)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).InfoContext(t.Context(), "x", "key", v)
	encoded, err := json.Marshal(struct{ Password secret.Value }{v})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"formatted": fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v), "in hexadecimal": fmt.Sprintf("%x %X", v, v),
		"in a struct": fmt.Sprintf("%+v %#v", struct{ V secret.Value }{v}, struct{ V secret.Value }{v}),
		"logged":      log.String(), "encoded": string(encoded), "as a string": v.String(),
	} {
		if strings.Contains(text, plain) || strings.Contains(text, fmt.Sprintf("%x", plain)) || !strings.Contains(text, secret.Mask) {
			t.Errorf("%s: %q", name, text)
		}
	}
	if v.Reveal() != plain {
		t.Error("Reveal does not return the string")
	}
}
