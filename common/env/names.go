package env

import (
	"net"
	"regexp"
	"strconv"
	"strings"

	"checkout/common/ginmode"
)

// DefaultSystem is the default of SYSTEM_NAME.
const DefaultSystem = "checkout"

// name returns the value of a variable. The value must consist of letters, digits, dots, hyphens and underscores.
func (p *parser) name(variable, fallback string) string {
	s := p.getenv(variable)
	if s == "" {
		return fallback
	}
	if !systemName.MatchString(s) {
		p.reject(variable, "%q is not a name of 1 to 63 letters, digits, dots, hyphens and underscores", s)
	}
	return s
}

var systemName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`)

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	invalid := func(r rune) bool { return r <= ' ' || r > '~' || r == '/' || r == '@' }
	return err == nil && host != "" && !strings.ContainsFunc(host, invalid) && isPort(port)
}

// isPort reports whether s is a port in canonical form: 80, but not 080 or +80.
func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 1 && n <= 65535 && s == strconv.Itoa(n)
}

// ginMode validates GIN_MODE. Package ginmode has removed an invalid value from the environment.
func (p *parser) ginMode() {
	p.choice("GIN_MODE", ginmode.Modes...)
	if ginmode.Invalid != "" {
		p.reject("GIN_MODE", "%q is not one of %s", ginmode.Invalid, strings.Join(ginmode.Modes, ", "))
	}
}
