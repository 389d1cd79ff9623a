package env

import (
	"net"
	"net/url"
)

// Demo is the control port of `make up CONSOLE=demo`. Through this port, the console stops and kills components. The
// zero value means that there is no control port.
type Demo struct{ URL, Token string }

// demo reads the variables DEMO_URL and DEMO_TOKEN. It accepts only a URL on the loopback interface.
func (p *parser) demo() Demo {
	d := Demo{URL: p.getenv("DEMO_URL"), Token: p.getenv("DEMO_TOKEN")}
	if d == (Demo{}) {
		return d
	}
	u, err := url.Parse(d.URL)
	if err != nil || u.Scheme != "http" || !isHostPort(u.Host) || !net.ParseIP(u.Hostname()).IsLoopback() ||
		d.URL != "http://"+u.Host {
		p.reject("DEMO_URL", "%q is not of the form http://127.0.0.1:port", d.URL)
	}
	if !isToken(d.Token) {
		p.reject("DEMO_TOKEN", "the value must have at least %d printable ASCII characters and no spaces", minToken)
	}
	return d
}
