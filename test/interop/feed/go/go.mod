module example.com/follow-feed

go 1.18

require example.com/mintmark-verifier v0.0.0

require github.com/golang-jwt/jwt/v5 v5.2.2 // indirect

replace example.com/mintmark-verifier => ../../../../packages/verifier-go
