package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/freeport"
	"checkout/common/testredis"
)

// The connection to a shard can use TLS, a username, a password and a database number. If TLS or the credentials are
// wrong, the shard is unavailable. The test is not parallel, because it makes the whole process trust a certificate.
func TestShardWithTLSAndCredentials(t *testing.T) {
	server := testredis.Start(t)
	port := secure(t, server)
	right := env.Redis{Addrs: []string{net.JoinHostPort("localhost", port)}, Username: "shop", Password: "s3cret", DB: 3,
		TLS: true}
	for _, row := range []struct {
		name  string
		spoil func(*env.Redis)
		ok    bool
	}{
		{"all correct", func(*env.Redis) {}, true},
		{"wrong password", func(c *env.Redis) { c.Password = "guess" }, false},
		{"wrong user", func(c *env.Redis) { c.Username = "wrong" }, false},
		{"no user and no password", func(c *env.Redis) { c.Username, c.Password = "", "" }, false},
		{"no TLS", func(c *env.Redis) { c.TLS = false }, false},
		{"a name that the certificate lacks", func(c *env.Redis) { c.Addrs = []string{net.JoinHostPort("127.0.0.1", port)} },
			false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := right
			row.spoil(&c)
			shards := cluster.Open("order", c, scripts)
			defer shards.Close()
			at := shards.Shards()[0]
			if !row.ok {
				if _, err := at.Run(t.Context(), count, counter); !errors.Is(err, api.Unavailable) {
					t.Errorf("run with wrong settings: got %v, want %v", err, api.Unavailable)
				}
				return
			}
			testredis.Eventually(t, "the shard is available", func() bool { return len(shards.Unavailable()) == 0 })
			for want := range int64(3) {
				reply, err := at.Run(t.Context(), count, counter)
				if err != nil || reply.Int(0) != want+1 {
					t.Errorf("run: got %d and the error %v, want %d", reply.Int(0), err, want+1)
				}
			}
		})
	}
	if n, err := server.Client.Do(t.Context(), "EXISTS", counter[0]).Int(); n != 0 || err != nil {
		t.Errorf("counters in database 0: got %d and the error %v, want 0", n, err)
	}
	keyspace, err := server.Client.InfoMap(t.Context(), "keyspace").Result()
	if _, ok := keyspace["Keyspace"]["db3"]; err != nil || !ok || len(keyspace["Keyspace"]) != 1 {
		t.Errorf("databases with keys: got %v and the error %v, want only db3", keyspace, err)
	}
}

// With TLS, an idle connection is used again: the session tickets that the server sends after a handshake do not count
// as unexpected bytes. If the server has closed the connection, the next call does not fail.
func TestIdleConnectionWithTLS(t *testing.T) {
	server := testredis.Start(t)
	shards := cluster.Open("order", env.Redis{
		Addrs: []string{net.JoinHostPort("localhost", secure(t, server))}, Username: "shop", Password: "s3cret", TLS: true,
	}, scripts)
	defer shards.Close()
	testredis.Eventually(t, "the shard is available", func() bool { return len(shards.Unavailable()) == 0 })
	run := func() {
		t.Helper()
		if _, err := shards.Shards()[0].Run(t.Context(), count, counter); err != nil {
			t.Errorf("run: got %v, want success", err)
		}
	}
	do := func(args ...any) string {
		t.Helper()
		reply, err := server.Client.Do(t.Context(), args...).Text()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return reply
	}
	connections := func() string {
		_, stats, _ := strings.Cut(do("INFO", "stats"), "total_connections_received:")
		return strings.Fields(stats)[0]
	}
	run()
	before := connections()
	for range 2 {
		time.Sleep(600 * time.Millisecond) // long enough that the next call first checks the connection
		run()
	}
	if after := connections(); after != before {
		t.Errorf("after idle times, %s connections in total; want %s, as before", after, before)
	}
	time.Sleep(600 * time.Millisecond)
	if err := server.Client.Do(t.Context(), "CLIENT", "KILL", "USER", "shop").Err(); err != nil {
		t.Fatal(err)
	}
	run()
	if after := connections(); after == before {
		t.Error("call after CLIENT KILL: got no new connection, want one")
	}
}

// localhost returns a certificate and its key. It always returns the same pair, because a process loads its trusted
// certificates only once.
var localhost = sync.OnceValues(func() (pair [2][]byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair, err
	}
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	if pair[0], err = x509.CreateCertificate(rand.Reader, certificate, certificate, &key.PublicKey, key); err != nil {
		return pair, err
	}
	pair[1], err = x509.MarshalPKCS8PrivateKey(key)
	return pair, err
})

// secure makes a server listen on a second port with TLS, and adds a user with a password. The certificate is for
// "localhost", and this process trusts it.
func secure(t *testing.T, server *testredis.Server) (port string) {
	t.Helper()
	pair, err := localhost()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, bytes []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	certificateFile, keyFile := write("crt", "CERTIFICATE", pair[0]), write("key", "PRIVATE KEY", pair[1])
	t.Setenv("SSL_CERT_FILE", certificateFile)

	_, port, _ = net.SplitHostPort(freeport.Addr(t))
	ctx := t.Context()
	for _, command := range [][]any{
		{"CONFIG", "SET", "tls-port", port, "tls-cert-file", certificateFile, "tls-key-file", keyFile, "tls-ca-cert-file",
			certificateFile, "tls-auth-clients", "no"},
		{"ACL", "SETUSER", "shop", "on", ">s3cret", "~*", "+@all"},
		{"CONFIG", "SET", "requirepass", "another"},
	} {
		if err := server.Client.Do(ctx, command...).Err(); err != nil {
			t.Fatalf("%v: %v", command[:2], err)
		}
	}
	return port
}
