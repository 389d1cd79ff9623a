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

const probeTimeout = time.Second // one attempt to see whether a part answers

// redis is the redis-server of one shard: what was acknowledged is on the disk, and nothing is ever evicted.
func (s *Stack) redis(path, service string, shard int) *part {
	name, addr := redisName(service, shard), s.redises[service][shard]
	memory := s.cfg.RedisMemory
	if memory == "" {
		memory = "1gb"
	}
	args := []string{
		"--port", portOf(addr), "--bind", "127.0.0.1", "--dir", filepath.Join(s.dir, name),
		"--appendonly", "yes", "--appendfsync", "always", "--save", "",
		"--maxmemory", memory, "--maxmemory-policy", "noeviction",
	}
	auth := ""
	if s.cfg.RedisPassword != "" {
		args = append(args, "--requirepass", s.cfg.RedisPassword)
		auth = "AUTH " + s.cfg.RedisPassword + "\r\n"
	}
	return &part{
		name: name, path: path, args: append(args, s.cfg.RedisArgs...), env: slices.Concat(os.Environ(), s.cfg.Env[name]),
		stop:  syscall.SIGTERM,
		doors: []door{{addr, fmt.Sprintf("shard %d of %s", shard, service)}},
		up:    func(ctx context.Context, pid int) error { return pingRedis(ctx, addr, auth, pid) },
	}
}

// pingRedis asks who answers at addr: after a lost race for a port it would be somebody else's Redis. A server that is
// still loading its data answers with an error.
func pingRedis(ctx context.Context, addr, auth string, pid int) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(auth + "INFO server\r\nGET loaded\r\nQUIT\r\n")); err != nil {
		return err
	}
	want, answers := fmt.Sprintf("process_id:%d", pid), bufio.NewScanner(conn)
	found := false
	for answers.Scan() {
		line := answers.Text()
		if strings.HasPrefix(line, "-") {
			return fmt.Errorf("redis-server: %s", line[1:])
		}
		found = found || line == want
	}
	if !found {
		return fmt.Errorf("another Redis listens on %s", addr)
	}
	return answers.Err()
}

func dial(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: probeTimeout}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(probeTimeout))
}

// listens tells that something accepts connections at addr.
func listens(ctx context.Context, addr string) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// answers tells that a gateway answers at addr, if only that there is nothing. nginx listens before it heeds signals: until then
// SIGTERM does not end it, but kills it.
func answers(ctx context.Context, addr string) error {
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

// machine is one machine of a service. Its path is only the name of the binary until that has been built.
func (s *Stack) machine(service string, machine int) (*part, error) {
	name := machineName(service, machine)
	shards, err := s.ways(name, s.redises[service], func(i int) string { return redisName(service, i) })
	if err != nil {
		return nil, err
	}
	public, internal := s.public[service][machine-1], s.internal[service][machine-1]
	// First what the environment may overrule.
	env := append([]string{"GODEBUG=schedtrace=2147483647"}, keep(os.Environ())...) // as in the Dockerfile, which says why
	env = append(env,
		"GIN_MODE=release", "BIND=127.0.0.1",
		"PORT="+portOf(public), "INTERNAL_PORT="+portOf(internal),
		fmt.Sprintf("MACHINE_ID=%d/%d", machine, s.cfg.size(service).Instances),
		"REDIS_ADDRS="+strings.Join(shards, ","),
	)
	for _, peer := range needs(service) {
		doors, err := s.ways(name, s.internal[peer], func(i int) string { return machineName(peer, i+1) })
		if err != nil {
			return nil, err
		}
		env = append(env, strings.ToUpper(peer)+"_SERVICE_URL="+strings.Join(urls(doors), ","))
	}
	if s.cfg.RedisPassword != "" {
		env = append(env, "REDIS_PASSWORD="+s.cfg.RedisPassword)
	}
	return &part{
		name: name, path: service,
		env:   slices.Concat(env, s.cfg.Env[""], s.cfg.Env[service], s.cfg.Env[name]),
		stop:  syscall.SIGTERM,
		doors: []door{{public, "public door"}, {internal, "internal door"}},
		up: func(ctx context.Context, _ int) error {
			if err := listens(ctx, internal); err != nil {
				return err
			}
			return listens(ctx, public)
		},
	}, nil
}

// ways are where part from looks for the parts that listen on addrs.
func (s *Stack) ways(from string, addrs []string, name func(i int) string) ([]string, error) {
	if s.cfg.Proxy == nil {
		return addrs, nil
	}
	var all []string
	for i, addr := range addrs {
		way, err := s.cfg.Proxy(from, name(i), addr)
		if err != nil {
			return nil, err
		}
		all = append(all, way)
	}
	return all, nil
}

// keep is what a service sees of the environment of this process: the variables of the Go runtime and of the system,
// none of the services' own.
func keep(env []string) []string {
	return slices.DeleteFunc(env, func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		return !strings.HasPrefix(key, "GO") && !slices.Contains([]string{"PATH", "HOME", "TMPDIR", "USER"}, key)
	})
}

// nginx is the gateway, in a folder of its own: the project's nginx.conf, and the two files that it includes.
func (s *Stack) nginx(path string) (*part, error) {
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
	files := map[string]string{
		"nginx.conf":     string(conf),
		"listen.conf":    fmt.Sprintf("listen %s backlog=4096;\n%s", s.gateway, s.cfg.Listen),
		"upstreams.conf": upstreams,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return &part{
		name: gatewayName, path: path, env: os.Environ(),
		args:  []string{"-e", "stderr", "-p", dir + "/", "-c", filepath.Join(dir, "nginx.conf"), "-g", "worker_processes auto;"},
		stop:  syscall.SIGQUIT,
		doors: []door{{s.gateway, "the gateway"}},
		up:    func(ctx context.Context, _ int) error { return answers(ctx, s.gateway) },
	}, nil
}

// machineBears is how many requests at a time one machine is trusted with.
const machineBears = 2048

func (s *Stack) upstreams() (string, error) {
	var b strings.Builder
	machines := 0
	for _, service := range Services() {
		machines = max(machines, len(s.public[service]))
		fmt.Fprintf(&b, "upstream %s {\n    zone %[1]s 256k;\n", service)
		doors, err := s.ways(gatewayName, s.public[service], func(i int) string { return machineName(service, i+1) })
		if err != nil {
			return "", err
		}
		for _, addr := range doors {
			fmt.Fprintf(&b, "    server %s max_fails=1 fail_timeout=1s;\n", addr)
		}
		fmt.Fprintf(&b, "    keepalive %d;\n    keepalive_requests 1000000;\n    keepalive_timeout 2s;\n}\n", machineBears*len(doors))
	}
	fmt.Fprintf(&b, "limit_conn calls %d;\n", machineBears*machines)
	return b.String(), nil
}
