package tebra_test

import (
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

func TestInvalidOptions(t *testing.T) {
	t.Parallel()
	good := tebra.Options{Account: "a", Credentials: tebra.Credentials{CustomerKey: "secret-key", User: "u", Password: "secret-password"}}
	for name, edit := range map[string]func(*tebra.Options){
		"account":      func(o *tebra.Options) { o.Account = "" },
		"customer key": func(o *tebra.Options) { o.Credentials.CustomerKey = "" },
		"user":         func(o *tebra.Options) { o.Credentials.User = "" },
		"password":     func(o *tebra.Options) { o.Credentials.Password = "secret-\x00password" },
		"bytes":        func(o *tebra.Options) { o.MaxBytes = -1 },
		"zones":        func(o *tebra.Options) { o.Zones = tebra.Greenwich + 1 },
		"https":        func(o *tebra.Options) { o.Endpoint = "http://127.0.0.1/x" },
		"user or":      func(o *tebra.Options) { o.Endpoint = "https://secret-key:x@example.test/" },
		"absolute":     func(o *tebra.Options) { o.Endpoint = "secret-key" },
		"not https":    func(o *tebra.Options) { o.Endpoint, o.Insecure = "ftp://example.test", true },
	} {
		o := good
		edit(&o)
		_, err := tebra.New(o)
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want an error that names the option and no secret", name, err)
		}
	}
	if _, err := tebra.New(good); err != nil {
		t.Errorf("valid options: %v", err)
	}
}
