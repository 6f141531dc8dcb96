// Package mintmark verifies Mintmark's access tokens and follows its revocation feed, by docs/feed.md.
package mintmark

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var (
	form        = regexp.MustCompile
	base64url   = base64.RawURLEncoding.Strict()
	setupForm   = form(`^(https://[\w.-]+|http://(localhost|127\.0\.0\.1))(:\d+)? (required|preferred|off)$`)
	compactForm = form(`^[\w-]+\.[\w-]+\.[\w-]{85}[AQgw]$`)
	digestForm  = form(`^[\w-]{42}[AEIMQUYcgkosw048]$`)
	handleForm  = form(`^[\w-]{10}[AEIMQUYcgkosw048]$`)
	cursorForm  = form(`^(0\.|[1-9][0-9]{0,14}\.[\w-]{10}[AEIMQUYcgkosw048])$`)
	stringForm  = form(`"(?:[^"\\]|\\.)*"(\s*:)?`) // with the colon after the name of a member
	start       = time.Now()
	never       = -1e9 // seconds: long before
)

// Refused is the code of a refusal, for your log. An outage is a 503, and any other a 401.
type Refused string

func (r Refused) Error() string  { return string(r) }
func (r Refused) IsOutage() bool { return r == "keys_unavailable" || r == "revocation_unknown" }

// Claims of an access token. AuthTime is 0 where it is not known.
type Claims struct {
	Iss, Aud, Sub, Sid, Jti, Tenant, Acr string
	Amr, Roles, Permissions              []string
	Iat, Exp                             float64
	ClientID                             string  `json:"client_id"`
	AuthTime                             float64 `json:"auth_time"`
	Rev                                  []any
}

type message struct {
	Iss, Aud, From, To, Jwks string
	Asof, Gen                float64
	More                     *bool
	Dead                     []any
}
type handles map[string]bool

// Verifier may be used by any goroutine. Times are in seconds: monotonic, or (wall, asof) since 1970.
type Verifier struct {
	issuer, audience, serviceKey, mode          string
	maxAge                                      time.Duration
	client                                      http.Client
	unknown                                     int32        // 1 once there was a kid that is not known
	mutex                                       sync.RWMutex // of what follows, which only Run writes
	keys                                        map[string]*ecdsa.PublicKey
	killed                                      map[string]*[2]float64 // by kid: generation and number
	filled, judged                              *[3]handles            // by messages; by which tokens are
	isForked, asksOwn, isReported               bool
	keysAt, keysDue, keysTried                  float64
	generation, judgedIn, asof, sent, shift     float64
	cursor, after, last, jwks, fault, keysFault string // our own, what to ask for, the last message
}

// New makes a verifier, for Run. Its mode is required, preferred or off, and maxAge is that of the feed.
func New(issuer, audience, serviceKey, mode string, maxAge time.Duration) (*Verifier, error) {
	if !setupForm.MatchString(issuer + " " + mode) {
		return nil, fmt.Errorf("%s is no origin with https (or on loopback), or %s no mode", issuer, mode)
	}
	v := &Verifier{issuer: issuer, audience: audience, serviceKey: serviceKey, mode: mode, maxAge: maxAge}
	v.client.Timeout = 8 * time.Second
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v.keysAt, v.keysTried, v.asof, v.killed = never, never, never, map[string]*[2]float64{}
	v.reload(-1)
	v.judged, v.judgedIn = v.filled, math.Inf(1)
	return v, nil
}

// strictly reads JSON: each member once, 50 objects and arrays at most, no U+FFFD (of what is no Unicode).
func strictly(data []byte, into any) bool {
	var read any
	err := json.Unmarshal(data, &read)
	again, _ := json.Marshal(read)
	bare := stringForm.ReplaceAllString(string(data), "$1")
	isOnce := strings.Count(bare, ":") == strings.Count(stringForm.ReplaceAllString(string(again), "$1"), ":")
	isText := !strings.Contains(string(again), "\uFFFD")
	isShort := strings.Count(bare, "[")+strings.Count(bare, "{") <= 50
	return err == nil && isOnce && isText && isShort && json.Unmarshal(data, into) == nil
}

func decode(part string) []byte {
	data, _ := base64url.DecodeString(part)
	return data
}

// handleOf is the first 8 bytes of a decoded identifier.
func handleOf(identifier string) string {
	return base64url.EncodeToString(append(decode(identifier), "shorter!"...)[:8])
}

// handlesOf is what a list has from there on. False: something else is there, too.
func handlesOf(list []any, from int) (handles, bool) {
	found := handles{}
	for at, item := range list {
		text, _ := item.(string)
		if at >= from && !handleForm.MatchString(text) || len(list) > 10_000 {
			return found, false
		}
		found[text] = true
	}
	return found, true
}

func number(cursor string) float64 {
	read, _ := strconv.ParseFloat(strings.Split(cursor, ".")[0], 64)
	return read
}
func isCount(value float64) bool { return value >= 0 && value < 1<<53 && value == math.Trunc(value) }

// SetKeys takes a JWK Set; at is the header Mintmark-Feed of its answer. False: it is no list of ours.
func (v *Verifier) SetKeys(document []byte, at string, mono float64) bool {
	var set struct {
		Keys []struct{ X, Y, Kid, Alg, Use string }
	}
	strictly(document, &set)
	keys, kids := map[string]*ecdsa.PublicKey{}, []string{}
	for _, jwk := range set.Keys {
		key, point := &ecdsa.PublicKey{Curve: elliptic.P256()}, append([]byte{4}, decode(jwk.X)...)
		key.X, key.Y = elliptic.Unmarshal(key.Curve, append(point, decode(jwk.Y)...))
		if key.X != nil && jwk.Alg == "ES256" && jwk.Use == "sig" && digestForm.MatchString(jwk.Kid) {
			keys[jwk.Kid], kids = key, append(kids, jwk.Kid)
		}
	}
	if len(kids) == 0 {
		return false
	}
	sort.Strings(kids)
	digest := sha256.Sum256([]byte(strings.Join(kids, "")))
	gen, entry, _ := strings.Cut(at, ".")
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.keys, v.keysAt, v.jwks = keys, mono, base64url.EncodeToString(digest[:])
	for kid, kill := range v.killed {
		if keys[kid] != nil && (number(gen) > kill[0] || number(gen) == kill[0] && number(entry) >= kill[1]) {
			delete(v.killed, kid)
		}
	}
	return true
}

// open reads the payload of a JWS that a key of ours has signed. Its code is why it did not, or "".
func (v *Verifier) open(jws, typ string, longest int, payload any) (kid, code string) {
	if len(jws) > longest || !compactForm.MatchString(jws) {
		return "", "malformed"
	}
	parts, header := strings.Split(jws, "."), map[string]string{}
	isHeader := strictly(decode(parts[0]), &header)
	key := v.keys[header["kid"]]
	switch {
	case !isHeader || len(header) != 3:
		return "", "header"
	case header["alg"] != "ES256":
		return "", "algorithm"
	case header["typ"] != typ:
		return "", "type"
	case key == nil:
		atomic.StoreInt32(&v.unknown, 1)
		return "", "unknown_key"
	case jwt.SigningMethodES256.Verify(parts[0]+"."+parts[1], decode(parts[2]), key) != nil:
		return "", "signature"
	case !strictly(decode(parts[1]), payload):
		return "", "claims"
	}
	return header["kid"], ""
}

// Verify gives the claims of a token that is valid now, or a Refused. It waits for nothing.
func (v *Verifier) Verify(token string) (*Claims, error) { return v.Judge(token, wall(), mono()) }

// Judge gives the claims of a token that is valid at a time, or a Refused.
func (v *Verifier) Judge(token string, wall, mono float64) (*Claims, error) {
	v.mutex.RLock()
	defer v.mutex.RUnlock()
	required, isDead, claims := v.mode == "required", false, &Claims{Rev: []any{math.Inf(1)}}
	kid, code := v.open(token, "at+jwt", 16_384, claims)
	generation, isNumber := append(claims.Rev, nil)[0].(float64)
	found, areHandles := handlesOf(claims.Rev, 1)
	found[handleOf(claims.Sid)], found[handleOf(kid)] = true, true
	dead, isUnheard := v.judged, generation > v.judgedIn && !math.IsInf(generation, 1) // but for keys, nothing is known
	for handle := range found {
		isDead = isDead || (!isUnheard || handle == handleOf(kid)) && (dead[0][handle] || dead[1][handle] || dead[2][handle])
	}
	switch {
	case code == "unknown_key" && (v.keys == nil || v.keysFault != "") || code == "" && mono-v.keysAt >= 3600:
		code = "keys_unavailable"
	case code != "":
	case claims.Sub == "" || claims.Sid == "" || claims.Jti == "" || claims.ClientID == "" || !areHandles,
		!isNumber || !isCount(generation) && !math.IsInf(generation, 1), claims.Exp > claims.Iat+900:
		code = "claims"
	case claims.Iss != v.issuer:
		code = "issuer"
	case claims.Aud != v.audience:
		code = "audience"
	case claims.Iat > wall+30:
		code = "not_yet_valid"
	case claims.Exp+30 <= wall:
		code = "expired"
	case v.mode == "off":
	case isDead || v.killed[kid] != nil || generation < v.generation || math.IsInf(generation, 1) && required:
		code = "stale_token"
	case required && (isUnheard || v.age(wall, mono) > v.maxAge.Seconds()):
		code = "revocation_unknown"
	}
	if code != "" {
		return nil, Refused(code)
	}
	return claims, nil
}

// Apply takes one message: "accepted", or why it was not. sent is the time of its request.
func (v *Verifier) Apply(line string, sent, wall float64) string {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	said := message{Asof: -1, Gen: -1}
	kid, code := v.open(line, "mintmark-feed+jwt", 4<<20, &said)
	dead, areHandles := handlesOf(said.Dead, 0)
	switch {
	case code != "":
		return code
	case said.Iss != v.issuer || said.Aud != v.issuer+"/v1/feed" || said.Asof < 0 || said.More == nil,
		said.Dead == nil || !areHandles || !isCount(said.Gen) || !digestForm.MatchString(said.Jwks),
		!cursorForm.MatchString(said.From) || !cursorForm.MatchString(said.To):
		return "form"
	case said.Asof > wall+60:
		return "clock"
	case v.killed[kid] != nil:
		return "dead_key"
	}
	for one := range v.keys {
		if dead[handleOf(one)] && v.killed[one] == nil {
			v.killed[one] = &[2]float64{said.Gen, number(said.To)}
			v.reload(-1)
			v.asof, v.keysDue = never, 0
		}
	}
	if v.killed[kid] == nil && v.generation >= 0 && said.Gen > v.generation {
		v.reload(said.Gen)
	}
	first, at, last := number(said.From), number(v.cursor), number(said.To)
	switch {
	case v.killed[kid] != nil:
		return "dead_key"
	case said.Gen < v.generation:
		return "generation"
	case v.isForked && said.From != v.cursor:
		return "forked"
	case first > at || at > last:
		return "gap"
	case first == at && said.From != v.cursor || last == at && said.To != v.cursor:
		v.isForked, v.asksOwn, v.after, v.sent = true, true, "", never
		return "fork"
	case !*said.More && said.Asof <= v.asof:
		return "replay"
	}
	if said.Asof-v.shift >= 495 {
		*v.filled, v.shift = [3]handles{{}, v.filled[0], v.filled[1]}, said.Asof
	}
	for handle := range dead {
		v.filled[0][handle] = true
	}
	v.generation, v.cursor, v.after, v.isForked, v.last = said.Gen, said.To, said.To, false, line
	if !*said.More {
		v.judged, v.judgedIn, v.asof, v.sent = v.filled, said.Gen, said.Asof, sent
	}
	if said.Jwks != v.jwks && v.keysDue > mono()+10 {
		v.keysDue = mono() + 10*chance()
	}
	return "accepted"
}

func (v *Verifier) reload(generation float64) {
	v.filled, v.shift, v.sent = &[3]handles{{}, {}, {}}, never, never
	v.generation, v.cursor, v.after, v.isForked = generation, "0.", "", false
}
func (v *Verifier) age(wall, mono float64) float64 { return math.Max(mono-v.sent, wall-v.asof-30) }

// Health is for a health page and metrics. Age is that of the feed in seconds, huge before it was loaded.
func (v *Verifier) Health() map[string]any {
	v.mutex.RLock()
	defer v.mutex.RUnlock()
	return map[string]any{
		"entries": len(v.judged[0]) + len(v.judged[1]) + len(v.judged[2]), "age": v.age(wall(), mono()), "after": v.after,
		"generation": v.generation, "isForked": v.isForked, "fault": v.fault, "keys": len(v.keys), "keysFault": v.keysFault,
	}
}

// Run follows keys and feed until ctx ends.
func (v *Verifier) Run(ctx context.Context) {
	for longest := 0.0; ctx.Err() == nil; {
		keysFault := v.fetchKeys()
		pause, fault := v.poll()
		if longest = math.Min(10, math.Max(2, 2*longest)); fault == "" {
			longest = 0
		}
		v.mutex.Lock()
		v.fault, v.keysFault = fault, keysFault
		v.mutex.Unlock()
		time.Sleep(time.Duration(math.Max(pause, longest*chance()) * 1e9))
	}
}

func (v *Verifier) fetchKeys() string {
	if mono() < v.keysTried+10 || mono() < v.keysDue && atomic.LoadInt32(&v.unknown) == 0 {
		return v.keysFault
	}
	atomic.StoreInt32(&v.unknown, 0)
	v.keysTried, v.keysDue = mono(), mono()+180+90*chance()
	answer, text := v.ask("GET", "/.well-known/jwks.json", "")
	if v.SetKeys(text, answer.Header.Get("Mintmark-Feed"), v.keysTried) {
		return ""
	}
	v.keysDue = v.keysTried + 10 + 10*chance()
	return "no keys: " + answer.Status
}

// poll makes one request. It gives the seconds until the next, and what was wrong.
func (v *Verifier) poll() (float64, string) {
	if v.mode == "off" {
		return 1, ""
	}
	before, after, sent := v.after, v.after, mono()
	if v.asksOwn = v.isForked && !v.asksOwn; v.asksOwn {
		after = v.cursor
	}
	query := fmt.Sprintf("?wait=3&after=%s&jwks=%s&v=%d", after, v.jwks, start.UnixNano())
	answer, text := v.ask("GET", "/v1/feed"+query, "")
	if answer.StatusCode == http.StatusConflict && after != "" {
		v.mutex.Lock()
		v.isForked, v.asksOwn, v.after, v.sent = true, true, "", never
		v.mutex.Unlock()
		return v.poll()
	}
	if answer.StatusCode != http.StatusOK {
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
		return math.Min(float64(seconds), 30), answer.Status
	}
	outcomes := handles{}
	for _, line := range strings.Fields(string(text)) {
		outcomes[v.Apply(line, sent, wall())] = true
	}
	if v.isReported = v.isReported && v.isForked; outcomes["forked"] && !v.isReported && v.last != "" {
		answer, _ := v.ask("POST", "/v1/feed/fork", v.last)
		v.isReported = answer.StatusCode != 0
	}
	switch {
	case v.after != before:
		return 0, ""
	case outcomes["accepted"]:
		return sent + 0.25 - mono(), ""
	}
	return 0, fmt.Sprint(outcomes)
}

// ask makes one request, bounded in time and size. A redirection is an answer like any other.
func (v *Verifier) ask(method, path, body string) (*http.Response, []byte) {
	request, _ := http.NewRequest(method, v.issuer+path, strings.NewReader(body))
	request.Header = http.Header{"Content-Type": {"text/plain"}, "Cache-Control": {"no-cache"}}
	if v.serviceKey != "" {
		request.Header.Set("Authorization", "Bearer "+v.serviceKey)
	}
	answer, err := v.client.Do(request)
	if err != nil {
		return &http.Response{Status: err.Error()}, nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(http.MaxBytesReader(nil, answer.Body, 4<<20))
	if err != nil {
		answer.StatusCode, answer.Status = 0, err.Error()
	}
	return answer, text
}

func wall() float64   { return float64(time.Now().UnixNano()) / 1e9 }
func mono() float64   { return time.Since(start).Seconds() }
func chance() float64 { return float64(time.Now().UnixNano()%1e6) / 1e6 } // another one in each process
