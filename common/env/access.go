package env

import (
	"net/url"
	"slices"
	"strings"
)

// Access configures which requests the service accepts: by Host header, by origin and by token.
type Access struct {
	Hosts   []string // names that are valid in a Host header, besides the built-in names; in lower case
	Origins []string // origins of browser apps
	// Tokens are valid on the internal port. This instance sends the first token to peers. If the list is empty, requests
	// need no token. If the list contains an empty string, requests without a token are also accepted.
	Tokens       []string
	ClientTraces bool // whether to continue the traces of clients
}

// minToken is the length of the shortest allowed token, in bytes. A random token of this length cannot be guessed.
const minToken = 16

func (p *parser) access() Access {
	return Access{
		Hosts:        p.hosts("ALLOWED_HOSTS"),
		Origins:      p.origins("CORS_ORIGINS"),
		Tokens:       p.tokens("INTERNAL_TOKEN"),
		ClientTraces: p.flag("CLIENT_TRACES", false),
	}
}

// isToken reports whether a token is long enough and consists of printable ASCII characters without spaces.
func isToken(token string) bool {
	unsafe := func(r rune) bool { return r <= ' ' || r > '~' }
	return len(token) >= minToken && !strings.ContainsFunc(token, unsafe)
}

// list splits a comma-separated variable. It returns nil if the variable is empty.
func (p *parser) list(name string) []string {
	s := p.getenv(name)
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func (p *parser) hosts(name string) []string {
	var hosts []string
	for _, host := range p.list(name) {
		lower := strings.ToLower(host)
		if bare := strings.TrimPrefix(lower, "*."); lower != "*" && !isName(bare) {
			p.reject(name, "%q is not a host name without a port, such as shop.example, *.shop.example or *", host)
			continue
		}
		hosts = append(hosts, lower)
	}
	return hosts
}

// isName reports whether s can be the name in a Host header: no port, no wildcard, no empty label.
func isName(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-_."
	return strings.Trim(s, letters) == "" && s != "" && !slices.Contains(strings.Split(s, "."), "")
}

func (p *parser) origins(name string) []string {
	var origins []string
	for _, origin := range p.list(name) {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isName(u.Hostname()) ||
			origin != u.Scheme+"://"+u.Host {
			p.reject(name, "%q is not an origin with a name or an IPv4 address in lower case, such as https://shop.example or "+
				"http://localhost:3000; IPv6 addresses are not supported", origin)
			continue
		}
		port := u.Port()
		if u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" || strings.HasSuffix(u.Host, ":") {
			p.reject(name, "%q contains the default port: leave it out, as browsers do", origin)
			continue
		}
		if port != "" && !isPort(port) {
			p.reject(name, "%q contains a port that is not a number from 1 to 65535 without leading zeros", origin)
			continue
		}
		origins = append(origins, origin)
	}
	return origins
}

// tokens parses a list of tokens. The error messages contain no tokens, because tokens are secret.
func (p *parser) tokens(name string) []string {
	tokens := p.list(name)
	for i, token := range tokens {
		if token != "" && !isToken(token) {
			p.reject(name, "token %d must have at least %d printable ASCII characters and no spaces", i+1, minToken)
		}
	}
	if tokens != nil && !slices.ContainsFunc(tokens, func(token string) bool { return token != "" }) {
		p.reject(name, "the list contains no token")
	}
	return tokens
}
