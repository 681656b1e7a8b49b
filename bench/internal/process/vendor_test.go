package process

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// serveVendor serves the simulator in this process.
func serveVendor(t *testing.T, h http.Handler) (v *Vendor, stop func()) {
	t.Helper()
	s := httptest.NewServer(h)
	return &Vendor{addr: s.Listener.Addr().String(), http: s.Client()}, s.Close
}

// read calls the vendor for one patient. The simulator's log has the outcome.
func read(t *testing.T, v *Vendor, tenant, patient string) {
	t.Helper()
	c, err := tebra.New(tebra.Options{
		Endpoint: v.Endpoint(), Insecure: true, Account: tenant, Credentials: Account{Tenant: tenant}.Credentials(),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.Patients.Get(t.Context(), patient)
}
