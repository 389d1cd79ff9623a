package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// fields are the members of a JSON object. Other implementations of the course's API spell names differently, so the
// keys are in lower case, without "_" and "-". Numbers and booleans are stored as text.
type fields map[string]string

// UnmarshalJSON accepts any JSON object.
func (f *fields) UnmarshalJSON(body []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var members map[string]any
	if err := decoder.Decode(&members); err != nil {
		return err
	}
	*f = fields{}
	for name, value := range members {
		(*f)[strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))] = fmt.Sprint(value)
	}
	return nil
}

// first returns the value of the first of these names that the object has, or "" if it has none.
func (f fields) first(names ...string) string {
	for _, name := range names {
		if value, found := f[name]; found {
			return value
		}
	}
	return ""
}

// amount looks up several names in turn, like fields.first. The value must be a whole number.
func (f fields) amount(names ...string) (int64, error) {
	value, err := strconv.ParseFloat(f.first(names...), 64)
	if err != nil || value != float64(int64(value)) {
		return 0, fmt.Errorf("no whole number in the field %s of the response %v", strings.Join(names, " or "), f)
	}
	return int64(value), nil
}

// paid reports whether an order is paid.
func (f fields) paid() (bool, error) {
	value, err := strconv.ParseBool(strings.ToLower(f.first("paid", "ispaid")))
	if err != nil {
		return false, fmt.Errorf("no true or false in the field paid of the response %v", f)
	}
	return value, nil
}

// UnmarshalJSON accepts the ID of a new object under any of the usual names.
func (c *created) UnmarshalJSON(body []byte) error {
	var f fields
	if err := f.UnmarshalJSON(body); err != nil {
		return err
	}
	*c = created{f.first("userid", "id"), f.first("itemid", "id"), f.first("orderid", "id")}
	if *c == (created{}) {
		return fmt.Errorf("no ID")
	}
	return nil
}
