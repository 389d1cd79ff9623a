//go:build faults

package clock

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// offset is in nanoseconds; at first it is what CLOCK_OFFSET says ("-45s").
var offset = func() *atomic.Int64 {
	d, _ := time.ParseDuration(os.Getenv("CLOCK_OFFSET"))
	n := new(atomic.Int64)
	n.Store(int64(d))
	return n
}()

// Offset is how far this machine's clock is wrong.
func Offset() time.Duration { return time.Duration(offset.Load()) }

// Mislead adds the offset to a UUID's time, 48 bits of milliseconds.
func Mislead(stamp []byte) {
	var wide [8]byte
	copy(wide[2:], stamp)
	binary.BigEndian.PutUint64(wide[:], binary.BigEndian.Uint64(wide[:])+uint64(Offset().Milliseconds()))
	copy(stamp, wide[2:])
}

// Control sets the offset to ?offset=, if it is given, and tells it.
func Control(w http.ResponseWriter, r *http.Request) {
	if text := r.URL.Query().Get("offset"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		offset.Store(int64(d))
	}
	fmt.Fprintln(w, Offset())
}
