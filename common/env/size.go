package env

import (
	"math"
	"strconv"
	"strings"
)

// units are the suffixes of sizes, as Kubernetes writes them.
var units = []struct {
	suffix string
	factor int64
}{
	{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12},
}

// size returns the size, in bytes, that a variable sets. It returns 0 if the variable is empty.
func (p *parser) size(name string) int64 {
	s := p.getenv(name)
	if s == "" {
		return 0
	}
	digits, factor := s, int64(1)
	for _, u := range units {
		if d, ok := strings.CutSuffix(s, u.suffix); ok {
			digits, factor = d, u.factor
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/factor {
		p.reject(name, "%q is not a size such as 10Gi, 500Mi or 20G", s)
		return 0
	}
	return n * factor
}
