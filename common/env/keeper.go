package env

import (
	"errors"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Keeper is the configuration of a keeper. KeeperVariables documents each variable.
type Keeper struct {
	Service string // "order", "stock" or "payment"
	Shard   int    // index of the shard
	Node    int    // index of this node in Nodes and Keepers
	Nodes   [Copies]string
	Keepers [Copies]string
	Redis   Redis    // Addrs has one element: the address of this node's Redis
	Tokens  []string // this keeper accepts requests with any of them, and sends the first
	State   string   // path of the state file
	Bind    string
	Port    int
	Metrics int // the monitoring port
	LogJSON bool
}

// ShardName returns the value of SHARD, such as "order-0".
func (k Keeper) ShardName() string { return k.Service + "-" + strconv.Itoa(k.Shard) }

// Tag returns the hash tag of the shard's keys, such as "{o0}".
func (k Keeper) Tag() string { return "{" + k.Service[:1] + strconv.Itoa(k.Shard) + "}" }

// KeeperVariables lists every variable that ParseKeeper reads.
var KeeperVariables = []Variable{
	{"SHARD", "the shard: `order-0`, `stock-1`, `payment-0` …", "required"},
	{"NODE", "0, 1 or 2: the index of this node in NODES and KEEPERS", "required"},
	{
		"NODES",
		"`host:port+host:port+host:port`: the three Redis of the shard as the nodes reach each other, as in REDIS_ADDRS",
		"required",
	},
	{"KEEPERS", "`host:port+host:port+host:port`: the keepers of the three nodes, in the same order", "required"},
	{"REDIS_ADDR", "`host:port`: this node's Redis as this keeper reaches it", "the element of NODES"},
	{"REDIS_PASSWORD", "the password of this node's Redis", "empty"},
	{"REDIS_USERNAME", "the user name of this node's Redis", "empty"},
	{"REDIS_DB", "the database number of the shard", "0"},
	{"REDIS_TLS", "1: use TLS for this node's Redis; SSL_CERT_FILE can name a file with further CAs", "0"},
	{
		"KEEPER_TOKEN",
		"a secret of at least 16 characters that the three keepers share, or several, comma-separated: " +
			"the first one is sent to the other keepers, and every one is accepted",
		"required",
	},
	{
		"STATE_FILE",
		"the file with the promise of this node, in an existing directory on the same disk as the data of this node's Redis",
		"keeper.json",
	},
	{"PORT", "the port for the other keepers and for health checks", "7000"},
	{"METRICS_PORT", "the monitoring port: metrics", "7001"},
	{"BIND", "the IP address that both ports bind to", "every address"},
	{"LOG_FORMAT", "`text` or `json`", "text"},
}

var shardName = regexp.MustCompile(`^(order|stock|payment)-(0|[1-9][0-9]{0,4})$`)

// ParseKeeper reads and validates the variables of a keeper with getenv, which is usually os.Getenv. The error joins
// one error per invalid value.
func ParseKeeper(getenv func(string) string) (Keeper, error) {
	p := parser{getenv: getenv}
	k := Keeper{
		Nodes:   p.nodes("NODES"),
		Keepers: p.nodes("KEEPERS"),
		Tokens:  p.list("KEEPER_TOKEN"),
		State:   getenv("STATE_FILE"),
		Bind:    getenv("BIND"),
		Port:    p.number("PORT", 7000, 1, 65535),
		Metrics: p.number("METRICS_PORT", 7001, 0, 65535),
		LogJSON: p.choice("LOG_FORMAT", "text", "json") == "json",
		Redis: Redis{
			Username: getenv("REDIS_USERNAME"), Password: getenv("REDIS_PASSWORD"),
			DB: p.number("REDIS_DB", 0, 0, 1<<15), TLS: p.flag("REDIS_TLS", false),
		},
	}
	if parts := shardName.FindStringSubmatch(getenv("SHARD")); parts != nil {
		k.Service = parts[1]
		k.Shard, _ = strconv.Atoi(parts[2])
	} else {
		p.reject("SHARD", "%q is not a shard such as order-0, stock-1 or payment-0", getenv("SHARD"))
	}
	switch s := getenv("NODE"); s {
	case "0", "1", "2":
		k.Node = int(s[0] - '0')
	default:
		p.reject("NODE", "%q is not 0, 1 or 2", s)
	}
	addr := getenv("REDIS_ADDR")
	if addr == "" {
		addr = k.Nodes[k.Node]
	} else if !isHostPort(addr) {
		p.reject("REDIS_ADDR", "%q is not host:port", addr)
	}
	k.Redis.Addrs = []string{addr}
	if k.Tokens == nil || slices.ContainsFunc(k.Tokens, func(token string) bool { return !isToken(token) }) {
		p.reject("KEEPER_TOKEN", "each token must have at least %d printable ASCII characters and no spaces", minToken)
	}
	if k.State == "" {
		k.State = "keeper.json"
	}
	if k.Bind != "" && net.ParseIP(k.Bind) == nil {
		p.reject("BIND", "%q is not an IP address", k.Bind)
	}
	if k.Metrics == k.Port {
		p.reject("METRICS_PORT", "%d equals PORT: the ports must differ", k.Metrics)
	}
	return k, errors.Join(p.errs...)
}

// nodes parses the addresses of the three nodes of a shard.
func (p *parser) nodes(name string) (nodes [Copies]string) {
	addrs := Nodes(p.getenv(name))
	if len(addrs) != Copies {
		p.reject(name, "%q is not of the form host:port+host:port+host:port", p.getenv(name))
		return nodes
	}
	for i, addr := range addrs {
		if !isHostPort(addr) {
			p.reject(name, "%q is not host:port", addr)
		}
		for _, other := range addrs[:i] {
			if strings.EqualFold(addr, other) {
				p.reject(name, "%q is listed twice: each node needs its own address", addr)
			}
		}
	}
	copy(nodes[:], addrs)
	return nodes
}
