package stack

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const dialTimeout = time.Second

// redisStart is the path of redis-start in the repository. The script prepares a data directory and then executes
// redis-server.
const redisStart = "k8s/helm/checkout/files/redis-start"

// redis returns the server of a node. Acknowledged writes are durable, and Redis evicts no keys.
func (s *Stack) redis(start, path string, node Node, purpose string) *component {
	memory := s.cfg.RedisMemory
	if memory == "" {
		memory = "1gb"
	}
	args := []string{
		start, path, "--port", portOf(node.Addr), "--bind", "127.0.0.1", "--dir", node.Dir,
		"--appendonly", "yes", "--appendfsync", "always", "--save", "",
		"--maxmemory", memory, "--maxmemory-policy", "noeviction",
	}
	if s.cfg.RedisPassword != "" {
		args = append(args, "--requirepass", s.cfg.RedisPassword)
	}
	if node.Keeper != "" {
		args = append(args, s.replicaArgs()...)
	}
	return &component{
		name: node.Name, path: "/bin/sh", args: append(args, s.cfg.RedisArgs...),
		env:       slices.Concat(os.Environ(), s.cfg.Env[node.Name]),
		stop:      syscall.SIGTERM,
		listeners: []listener{{node.Addr, purpose}},
		check:     func(ctx context.Context, pid int) error { return pingRedis(ctx, node.Addr, s.redisAuth(), pid) },
	}
}

// redisAuth returns the inline command AUTH, or "" without a password.
func (s *Stack) redisAuth() string {
	if s.cfg.RedisPassword == "" {
		return ""
	}
	return "AUTH " + s.cfg.RedisPassword + "\r\n"
}

// pingRedis checks that the Redis with this PID responds at addr, because another process may have taken the port. It
// returns an error while Redis loads its data.
func pingRedis(ctx context.Context, addr, auth string, pid int) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(auth + "INFO server\r\nGET loaded\r\nQUIT\r\n")); err != nil {
		return err
	}
	want, replies := fmt.Sprintf("process_id:%d", pid), bufio.NewScanner(conn)
	found := false
	for replies.Scan() {
		line := replies.Text()
		if strings.HasPrefix(line, "-") {
			return fmt.Errorf("redis-server: %s", line[1:])
		}
		found = found || line == want
	}
	if !found {
		return fmt.Errorf("ping Redis at %s: no reply from pid %d; another process may use the port", addr, pid)
	}
	return replies.Err()
}

func dial(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(dialTimeout))
}

// checkListens checks that a process accepts connections at each address.
func checkListens(ctx context.Context, addrs ...string) error {
	for _, addr := range addrs {
		conn, err := dial(ctx, addr)
		if err != nil {
			return err
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}

// checkGateway checks that nginx returns a response with any status. An open port is not enough, because nginx listens
// before it handles signals. A stop signal between these two events would kill nginx.
func checkGateway(ctx context.Context, addr string) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /nowhere HTTP/1.0\r\n\r\n")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// instance returns one instance of a service. Before the build, its path is only the name of the binary.
func (s *Stack) instance(service string, number int) (*component, error) {
	name := instanceName(service, number)
	var shards []string
	for _, nodes := range s.shards[service] {
		addrs, err := s.proxied(name, addrsOf(nodes), func(i int) string { return nodes[i].Name })
		if err != nil {
			return nil, err
		}
		shards = append(shards, strings.Join(addrs, "+"))
	}
	public, internal, metrics := s.public[service][number-1], s.internal[service][number-1], s.metrics[service][number-1]
	// The Dockerfile sets the same GODEBUG. The environment can override it. See docs/adr/0009-godebug-schedtrace.md.
	env := append([]string{"GODEBUG=schedtrace=2147483647"}, inherited(os.Environ())...)
	env = append(env,
		"GIN_MODE=release", "BIND=127.0.0.1",
		"PORT="+portOf(public), "INTERNAL_PORT="+portOf(internal), "METRICS_PORT="+portOf(metrics),
		fmt.Sprintf("MACHINE_ID=%d/%d", number, s.cfg.size(service).Instances),
		"REDIS_ADDRS="+strings.Join(shards, ","),
	)
	for _, peer := range peersOf(service) {
		addrs, err := s.proxied(name, s.internal[peer], func(i int) string { return instanceName(peer, i+1) })
		if err != nil {
			return nil, err
		}
		env = append(env, strings.ToUpper(peer)+"_SERVICE_URL="+strings.Join(urls(addrs), ","))
	}
	if s.cfg.RedisPassword != "" {
		env = append(env, "REDIS_PASSWORD="+s.cfg.RedisPassword)
	}
	return &component{
		name: name, path: service,
		env:       slices.Concat(env, s.cfg.Env[""], s.cfg.Env[service], s.cfg.Env[name]),
		stop:      syscall.SIGTERM,
		listeners: []listener{{public, "public port"}, {internal, "internal port"}, {metrics, "monitoring port"}},
		ready:     "http://" + internal + "/readyz",
		check:     func(ctx context.Context, _ int) error { return checkListens(ctx, internal, public) },
	}, nil
}

// proxied calls Config.Proxy for each address that a component connects to, and returns the results. name(i) is the
// name of the component at addrs[i].
func (s *Stack) proxied(from string, addrs []string, name func(i int) string) ([]string, error) {
	if s.cfg.Proxy == nil {
		return addrs, nil
	}
	var all []string
	for i, addr := range addrs {
		proxy, err := s.cfg.Proxy(from, name(i), addr)
		if err != nil {
			return nil, err
		}
		all = append(all, proxy)
	}
	return all, nil
}

// inherited returns the variables that a service inherits from this process: the variables of the Go runtime and of the
// system, without the variables that configure a service.
func inherited(env []string) []string {
	return slices.DeleteFunc(env, func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		return !strings.HasPrefix(key, "GO") && !slices.Contains([]string{"PATH", "HOME", "TMPDIR", "USER"}, key)
	})
}

// nginx returns the gateway. It writes nginx.conf and the two included files to the gateway's directory.
func (s *Stack) nginx(path string) (*component, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, gatewayName)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	conf, err := os.ReadFile(filepath.Join(root, "nginx.conf"))
	if err != nil {
		return nil, err
	}
	upstreams, err := s.upstreams()
	if err != nil {
		return nil, err
	}
	listeners, listen := []listener{{s.gateway, "the gateway"}}, fmt.Sprintf("listen %s backlog=4096;\n", s.gateway)
	if s.gateway6 != "" {
		listeners = append(listeners, listener{s.gateway6, "the gateway, IPv6"})
		listen += fmt.Sprintf("listen %s backlog=4096;\n", s.gateway6)
	}
	files := map[string]string{
		"nginx.conf":     string(conf),
		"listen.conf":    listen + clientSettings(s.cfg.Env[""]) + s.cfg.Listen,
		"upstreams.conf": upstreams,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return &component{
		name: gatewayName, path: path, env: os.Environ(),
		args: []string{
			"-e", "stderr", "-p", dir + "/", "-c", filepath.Join(dir, "nginx.conf"), "-g", "worker_processes auto;",
		},
		stop:      syscall.SIGQUIT,
		listeners: listeners,
		check:     func(ctx context.Context, _ int) error { return checkGateway(ctx, s.gateway) },
	}, nil
}

// clientSettings returns the lines of listen.conf for the environment variables that the gateway also needs. The
// services validate the values.
func clientSettings(env []string) string {
	var lines strings.Builder
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case name == "CORS_ORIGINS":
			fmt.Fprintf(&lines, "set $cors_origins \"%s\";\n", strings.ReplaceAll(value, ",", " "))
		case name == "CLIENT_TRACES" && value == "1":
			lines.WriteString("set $client_traceparent $http_traceparent; set $client_tracestate $http_tracestate;\n")
		}
	}
	return lines.String()
}

// instanceLimit is the number of requests in flight that the gateway allows for each instance.
const instanceLimit = 2048

// prefixes are the prefixes of the paths of each service at the gateway.
var prefixes = map[string]string{"order": "/orders", "stock": "/stock", "payment": "/payment"}

// upstreams returns the contents of upstreams.conf.
func (s *Stack) upstreams() (string, error) {
	var b strings.Builder
	instances, overviews := 0, ""
	for _, service := range Services() {
		instances = max(instances, len(s.public[service]))
		fmt.Fprintf(&b, "upstream %s {\n    zone %[1]s 256k;\n", service)
		addrs, err := s.proxied(gatewayName, s.public[service], func(i int) string { return instanceName(service, i+1) })
		if err != nil {
			return "", err
		}
		for _, addr := range addrs {
			fmt.Fprintf(&b, "    server %s max_fails=1 fail_timeout=1s;\n", addr)
		}
		fmt.Fprintf(&b, "    keepalive %d;\n    keepalive_requests 1000000;\n    keepalive_timeout 2s;\n}\n",
			instanceLimit*len(addrs))
		for i, addr := range addrs {
			fmt.Fprintf(&b, "upstream %s_%d { server %s; }\n", service, i+1, addr)
			overviews += fmt.Sprintf("    %s/overview/%d %s_%d;\n", prefixes[service], i+1, service, i+1)
		}
	}
	fmt.Fprintf(&b, "map $uri $instance {\n%s}\n", overviews)
	fmt.Fprintf(&b, "limit_conn calls %d;\n", instanceLimit*instances)
	return b.String(), nil
}
