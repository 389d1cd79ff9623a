package stack_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"checkout/common/freeport"
	"checkout/test/stack"
)

// The tests in this file check the settings of listen.conf that the first comment in nginx.conf lists.

// TestGatewayAccessLogIsJSON checks that every line of the access log is valid JSON, even if a path contains JSON
// syntax or invalid bytes.
func TestGatewayAccessLogIsJSON(t *testing.T) {
	logs := t.TempDir()
	s := start(t, stack.Config{Logs: logs, Listen: "access_log /dev/stdout json buffer=64k flush=1s;\n"})
	type line struct {
		Time           time.Time `json:"time"`
		RequestID      string    `json:"request_id"`
		Client         string    `json:"client"`
		Method         string    `json:"method"`
		Path           string    `json:"path"`
		Status         int       `json:"status"`
		Bytes          int       `json:"bytes"`
		Seconds        float64   `json:"seconds"`
		Machine        string    `json:"machine"`
		MachineStatus  string    `json:"machine_status"`
		MachineSeconds string    `json:"machine_seconds"`
	}
	order := strings.TrimPrefix(s.PublicURLs("order")[0], "http://")
	want := map[string]line{ // by request ID
		"found":   {Method: "GET", Path: "/orders/ping", Status: 200, Machine: order, MachineStatus: "200"},
		"refused": {Method: "POST", Path: "/orders/checkout/nobody?a=1", Status: 404, Machine: order, MachineStatus: "404"},
		"nginx":   {Method: "GET", Path: `/"},{"status":200`, Status: 404},
		"bytes":   {Method: "GET", Path: "/\xff\x01", Status: 404},
	}
	for id, w := range want {
		resp, _ := send(t, s, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n\r\n", w.Method, w.Path, id))
		if w.Path == "/\xff\x01" && resp.StatusCode == http.StatusBadRequest { // this nginx rejects control characters
			delete(want, id)
			continue
		}
		if resp.StatusCode != w.Status {
			t.Fatalf("%s %q: got %s, want the status in the table", w.Method, w.Path, resp.Status)
		}
	}
	must(t, s.Stop(t.Context(), "nginx")) // nginx writes its log buffer to the file
	text, err := os.ReadFile(filepath.Join(logs, "nginx.log"))
	must(t, err)
	got := map[string]line{}
	for text := range bytes.Lines(text) {
		var l line
		if text[0] != '{' {
			continue // a line of the error log
		}
		if err := json.Unmarshal(text, &l); err != nil {
			t.Errorf("parse the line %s: %v", text, err)
		}
		got[l.RequestID] = l
	}
	for id, w := range want {
		g := got[id]
		if time.Since(g.Time).Abs() > time.Minute || g.Client != "127.0.0.1" || g.Bytes < 100 || g.Seconds < 0 ||
			(g.MachineSeconds == "") != (w.Machine == "") {
			t.Errorf("line of request %s: got %+v, want the current time, client 127.0.0.1, 100 bytes or more, durations",
				id, g)
		}
		w.Path = strings.ToValidUTF8(w.Path, "\ufffd")
		// These values vary, so the condition above checks them.
		w.RequestID, w.Time, w.Client, w.Bytes, w.Seconds, w.MachineSeconds =
			id, g.Time, g.Client, g.Bytes, g.Seconds, g.MachineSeconds
		if g != w {
			t.Errorf("%s:\n got %+v\nwant %+v", id, g, w)
		}
	}
}

// TestGatewayForwardsTheClientAddress checks that the gateway trusts X-Forwarded-For only from a load balancer that
// listen.conf lists, and that it never forwards the other forwarding headers.
func TestGatewayForwardsTheClientAddress(t *testing.T) {
	for _, c := range []struct{ name, listen, want string }{
		{"client", "", "127.0.0.1"},
		{"load balancer", "set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For;\n", "198.51.100.7"},
		// The chart writes the settings in this form.
		{"two load balancers", "set_real_ip_from 127.0.0.0/8;\nset_real_ip_from 198.51.100.7/32;\n" +
			"real_ip_header X-Forwarded-For;\nreal_ip_recursive on;\n", "203.0.113.9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, stack.Config{Listen: c.listen})
			received := make(chan http.Header, 1)
			replaceInstance(t, s, "stock", 1, func(_ http.ResponseWriter, r *http.Request) { received <- r.Header })
			send(t, s, "GET /stock/ HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9, 198.51.100.7\r\n"+
				"X-Real-IP: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\nX-Forwarded-Proto: https\r\n"+
				"Traceparent: 00-1-2-01\r\n\r\n")
			got := <-received
			if from := got.Values("X-Forwarded-For"); len(from) != 1 || from[0] != c.want {
				t.Errorf("the gateway forwarded X-Forwarded-For %q, want %q", from, c.want)
			}
			for _, name := range []string{"X-Real-IP", "Forwarded", "X-Forwarded-Proto"} {
				if got.Get(name) != "" {
					t.Errorf("the gateway forwarded the header %s: %s, want no such header", name, got.Get(name))
				}
			}
		})
	}
}

func TestGatewayServesTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"shop.example"}, NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: cert}, "tls.key": {Type: "PRIVATE KEY", Bytes: der},
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	address := freeport.Addr(t)
	public := map[string][]string{"": {"ALLOWED_HOSTS=shop.example"}}
	start(t, stack.Config{Env: public, Listen: fmt.Sprintf("listen %s ssl backlog=4096;\n"+
		"ssl_certificate %s/tls.crt; ssl_certificate_key %[2]s/tls.key;\n", address, dir)})

	trusted := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(cert)
	must(t, err)
	trusted.AddCert(parsed)
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: trusted, ServerName: "shop.example"})
	must(t, err)
	defer conn.Close()
	resp, _ := exchange(t, conn, "GET /payment/ping HTTP/1.1\r\nHost: shop.example\r\n\r\n")
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET /payment/ping over TLS: got %s, want 200", resp.Status)
	}
}
