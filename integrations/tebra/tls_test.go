package tebra_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// tlsFlaw is a flaw of a TLS server.
type tlsFlaw int

const (
	tlsExpired tlsFlaw = iota
	tlsOtherHost
	tlsUnknown
	tlsOld
)

// tlsServer returns a function that starts a server with the flaw. Its client trusts the
// certificate, unless the flaw is tlsUnknown.
func tlsServer(flaw tlsFlaw) func(t *testing.T) (string, *http.Client) {
	return func(t *testing.T) (string, *http.Client) {
		t.Helper()
		cert := certificate(t, flaw)
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10}
		if flaw == tlsOld {
			s.TLS.MaxVersion = tls.VersionTLS10
		}
		s.StartTLS()
		t.Cleanup(s.Close)
		trusted := x509.NewCertPool()
		if flaw != tlsUnknown {
			trusted.AddCert(cert.Leaf)
		}
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}
		t.Cleanup(transport.CloseIdleConnections)
		return s.URL, &http.Client{Transport: transport}
	}
}

func certificate(t *testing.T, flaw tlsFlaw) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: canary}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	switch flaw {
	case tlsExpired:
		template.NotAfter = time.Now().Add(-24 * time.Hour)
	case tlsOtherHost:
		template.IPAddresses, template.DNSNames = nil, []string{"elsewhere.example.test"}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
