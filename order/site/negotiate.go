package site

import (
	"strconv"
	"strings"
)

// acceptsGzip reports whether a client with these Accept-Encoding headers wants gzip: it accepts gzip and does not
// prefer an unencoded response (RFC 9110, section 12.5.3).
func acceptsGzip(headers []string) bool {
	zipped, identity, other := -1.0, -1.0, -1.0 // quality of gzip, of no encoding, of any other; -1: not listed
	for _, entry := range list(headers) {
		coding, parameters, _ := strings.Cut(entry, ";")
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			zipped = max(zipped, quality(parameters))
		case "identity":
			identity = quality(parameters)
		case "*":
			other = quality(parameters)
		}
	}
	if zipped < 0 {
		zipped = other
	}
	return zipped > 0 && zipped >= identity
}

// The function "quality" parses the quality in the parameters of a list entry, such as "q=0.5". It returns 1 if there
// is no quality, and 0 if the quality is malformed.
func quality(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || !(q >= 0 && q <= 1) {
				return 0
			}
			return q
		}
	}
	return 1
}

// The function "matches" reports whether If-None-Match headers list an ETag or "*". The comparison is weak, as RFC 9110
// requires.
func matches(headers []string, etag string) bool {
	for _, entry := range list(headers) {
		if entry == "*" || strings.TrimPrefix(entry, "W/") == etag {
			return true
		}
	}
	return false
}

// The function "list" returns the entries of comma-separated headers.
func list(headers []string) []string {
	var entries []string
	for _, header := range headers {
		for entry := range strings.SplitSeq(header, ",") {
			entries = append(entries, strings.TrimSpace(entry))
		}
	}
	return entries
}
