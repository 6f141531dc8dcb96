// Verifies access tokens, one a line, with Nimbus JOSE + JWT, knowing only the issuer's address and the audience that they
// are for.
//
//     echo "$token" | java -cp nimbus-jose-jwt-10.5.jar VerifyToken.java http://localhost:4000 demo-api
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.DefaultResourceRetriever;
import com.nimbusds.jose.util.JSONObjectUtils;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.BadJWTException;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.nimbusds.jwt.proc.JWTProcessor;
import java.net.URI;
import java.util.Date;
import java.util.Set;

public class VerifyToken {
  public static void main(String[] args) throws Exception {
    var verifier = verifier(args[0], args[1]);
    var refused = false;
    for (String token : new String(System.in.readAllBytes()).strip().split("\\s+")) {
      try {
        System.out.println(verifier.process(token, null));
      } catch (Exception refusal) {
        System.out.println("refused: " + refusal.getMessage());
        refused = true;
      }
    }
    System.exit(refused ? 1 : 0);
  }

  /** In a service: make it once. It refreshes its keys, and keeps the last good ones through an outage of an hour. */
  static JWTProcessor<SecurityContext> verifier(String issuer, String audience) throws Exception {
    var http = new DefaultResourceRetriever(5_000, 5_000, 65_536);
    var found = http.retrieveResource(URI.create(issuer + "/.well-known/openid-configuration").toURL());
    var metadata = JSONObjectUtils.parse(found.getContent());
    if (!issuer.equals(metadata.get("issuer")))
      throw new IllegalStateException(issuer + " calls itself " + metadata.get("issuer"));

    var address = URI.create((String) metadata.get("jwks_uri")).toURL();
    JWKSource<SecurityContext> keys =
        JWKSourceBuilder.create(address, http).outageTolerant(3_600_000).retrying(true).build();

    var required = Set.of("sub", "exp", "iat", "jti", "client_id", "sid");
    var expected = new JWTClaimsSet.Builder().issuer(issuer).build();
    var claims =
        new DefaultJWTClaimsVerifier<SecurityContext>(audience, expected, required) {
          @Override
          public void verify(JWTClaimsSet claims, SecurityContext context)
              throws BadJWTException {
            super.verify(claims, context);
            // Nimbus leaves the time of issue to its caller.
            if (claims.getIssueTime().after(new Date(System.currentTimeMillis() + 30_000)))
              throw new BadJWTException("issued in the future");
          }
        };
    claims.setMaxClockSkew(30);

    var processor = new DefaultJWTProcessor<SecurityContext>();
    processor.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(new JOSEObjectType("at+jwt")));
    processor.setJWSKeySelector(new JWSVerificationKeySelector<>(JWSAlgorithm.ES256, keys));
    processor.setJWTClaimsSetVerifier(claims);
    return processor;
  }
}
