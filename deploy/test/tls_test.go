package deploytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// playTLS starts both Redis servers with deploy/redis/tls.conf and the certificates of make-certs,
// and runs the operator's doctor over TLS: it trusts only the authority that SSL_CERT_FILE names.
func playTLS(t *testing.T, bin string) {
	certs := t.TempDir()
	dir, err := filepath.Abs(filepath.Join(repoRoot, "deploy", "redis")) // the server has another working directory
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "make-certs"), certs).CombinedOutput(); err != nil {
		t.Fatalf("make-certs: %v\n%s", err, out)
	}
	env := map[string]string{
		"ROUNDS_ENV": "dev", "ROUNDS_LEDGER": "sqlite:" + filepath.Join(certs, "ledger"), "ROUNDS_KEYS": filepath.Join(certs, "keys"),
		"ROUNDS_TEBRA_ENDPOINT": "http://127.0.0.1:1/",
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "rounds"), "keys", "new", env["ROUNDS_KEYS"]).CombinedOutput(); err != nil {
		t.Fatalf("keys: %v\n%s", err, out)
	}
	for _, role := range roles {
		addr := free(t)
		_, port, _ := strings.Cut(addr, ":")
		redistest.Start(t, filepath.Join(dir, "redis-"+role+".conf"), filepath.Join(dir, "users-"+role+".acl"),
			"--include", filepath.Join(dir, "tls.conf"), "--bind", "127.0.0.1", "--tls-port", port,
			"--tls-cert-file", filepath.Join(certs, "server.pem"), "--tls-key-file", filepath.Join(certs, "server.key"),
			"--tls-ca-cert-file", filepath.Join(certs, "ca.pem"))
		env["ROUNDS_"+strings.ToUpper(role)+"_REDIS"] = "rediss://operator:operator-dev@" + addr
	}
	doctor := func(trust string) string {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "rounds"), "doctor", "--timeout", "20s")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), trust}
		for k, v := range env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		out, _ := cmd.CombinedOutput() // without a vendor it reports a fault
		return string(out)
	}
	trusting, strict := doctor("SSL_CERT_FILE="+filepath.Join(certs, "ca.pem")), doctor("SSL_CERT_FILE=/nowhere")
	for _, role := range roles {
		if good := "ok    " + role + "-redis-scripts"; !strings.Contains(trusting, good) || strings.Contains(strict, good) {
			t.Errorf("%s: with the authority\n%s\nwithout\n%s", role, trusting, strict)
		}
	}
}
