package web

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

func param(value string) *gin.Context {
	return &gin.Context{Params: gin.Params{{Key: "n", Value: value}}}
}

func TestIntegerParams(t *testing.T) {
	for value, want := range map[string]int64{"1": 1, "7": 7, "007": 7, "1000000000000": api.MaxAmount} {
		if got, err := Amount(param(value), "n"); got != want || err != nil {
			t.Errorf("amount %q: got %d, %v; want %d", value, got, err, want)
		}
		if got, err := Price(param(value), "n"); got != want || err != nil {
			t.Errorf("price %q: got %d, %v; want %d", value, got, err, want)
		}
	}
	if got, err := Price(param("0"), "n"); got != 0 || err != nil {
		t.Errorf("price 0: got %d, %v; want 0", got, err)
	}
	if _, err := Amount(param("0"), "n"); !errors.Is(err, api.InvalidNumber) {
		t.Errorf("amount 0: got %v, want invalid-number", err)
	}
	if got, err := Count(param("5"), "n", 1, 5); got != 5 || err != nil {
		t.Errorf("count 5: got %d, %v; want 5", got, err)
	}
	for _, value := range []string{"0", "6"} {
		if _, err := Count(param(value), "n", 1, 5); !errors.Is(err, api.InvalidNumber) {
			t.Errorf("count %q: got %v, want invalid-number", value, err)
		}
	}
	for _, value := range []string{
		"", "x", "-1", "-0", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "1_000", "١", "５", "1\n", "NaN", "1000000000001",
		"9223372036854775807", "9223372036854775808", "18446744073709551617", strings.Repeat("9", 500),
	} {
		for name, parse := range map[string]func(*gin.Context, string) (int64, error){"amount": Amount, "price": Price} {
			got, err := parse(param(value), "n")
			if !errors.Is(err, api.InvalidNumber) || got != 0 {
				t.Errorf("%s %q: got %d, %v; want invalid-number", name, value, got, err)
			} else if len(err.Error()) > 200 || !strings.Contains(err.Error(), "n ") {
				t.Errorf("%s %q: got the error %v, want at most 200 bytes that name the parameter n", name, value, err)
			}
		}
	}
}

// FuzzAmount compares accepted amounts with math/big.
func FuzzAmount(f *testing.F) {
	for _, seed := range []string{"1", "-1", "1000000000001", "0x10", "٣"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := Amount(param(value), "n")
		if err != nil {
			return
		}
		n, ok := new(big.Int).SetString(value, 10)
		if !ok || !n.IsInt64() || n.Int64() != got || got < 1 || got > api.MaxAmount {
			t.Errorf("Amount(%q) = %d, want the exact number if it is in range, otherwise an error", value, got)
		}
	})
}
