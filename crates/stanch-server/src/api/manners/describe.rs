//! Writes the manners into the description of the API, for every route alike.

use serde_json::{Map, Value, json};

/// Adds headers, conditions and errors that the layer brings to every operation of API v1.
pub(in crate::api) fn describe(api: &mut Value) {
    let components = &mut api["components"];
    let error =
        json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/ErrorBody" } } });
    let problem = |about: &str| json!({ "description": about, "content": error });
    let mut too_fast = problem("Too much at once from this caller");
    too_fast["headers"] = json!({
        "Retry-After": { "description": "Seconds to wait", "schema": { "type": "integer", "minimum": 0 } },
        "RateLimit": { "$ref": "#/components/headers/RateLimit" },
        "RateLimit-Policy": { "$ref": "#/components/headers/RateLimitPolicy" },
    });
    components["responses"] = json!({
        "NotModified": { "description": "It is what you have: If-None-Match names its tag" },
        "MethodNotAllowed": problem("The path does not answer to this method"),
        "KeyInUse": problem("A request with this Idempotency-Key is under way, or began before a crash; or it does not fit the state of things"),
        "Changed": problem("It is no longer what If-Match names"),
        "TooLarge": problem("The body is larger than 65536 bytes"),
        "WrongMedia": problem("The body is not said to be JSON"),
        "KeyReused": problem("This Idempotency-Key came with another body before"),
        "TooFast": too_fast,
    });
    components["headers"] = json!({
        "ETag": { "description": "Changes when the answer does; for If-None-Match and If-Match", "schema": { "type": "string" } },
        "RateLimit": { "description": "What is left for this caller: `\"caller\";r=1999;t=0`", "schema": { "type": "string" } },
        "RateLimitPolicy": { "description": "How many in how many seconds: `\"caller\";q=2000;w=10`", "schema": { "type": "string" } },
    });
    components["parameters"] = json!({
        "IfNoneMatch": { "name": "If-None-Match", "in": "header", "required": false, "schema": { "type": "string" },
            "description": "The ETag of an answer you have; 304 without a body when it is still the same" },
        "IfMatch": { "name": "If-Match", "in": "header", "required": false, "schema": { "type": "string" },
            "description": "The ETag of what you have read (GET of the same path, or of the one above); 412 when it has changed since" },
        "IdempotencyKey": { "name": "Idempotency-Key", "in": "header", "required": false,
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
            "description": "The same key within 24 hours, also after a restart: not done again, the first answer is given again" },
    });
    let paths = api["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            let Some(operation) = operation.as_object_mut() else { continue };
            problems(operation);
            if path.starts_with("/api/v1/") && path != "/api/v1/openapi.json" {
                operations(method, operation);
            }
        }
    }
}

/// Our errors travel as `application/problem+json`, whatever their route says.
fn problems(operation: &mut Map<String, Value>) {
    for (status, response) in
        operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten()
    {
        let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) else { continue };
        let ours = content
            .get("application/json")
            .is_some_and(|c| c["schema"]["$ref"] == "#/components/schemas/ErrorBody");
        if status.as_str() >= "400"
            && ours
            && let Some(schema) = content.remove("application/json")
        {
            content.insert("application/problem+json".to_owned(), schema);
        }
    }
}

fn operations(method: &str, operation: &mut Map<String, Value>) {
    let body = operation.contains_key("requestBody");
    let reference = |kind: &str, name: &str| json!({ "$ref": format!("#/components/{kind}/{name}") });
    let parameters: &[&str] = match method {
        "get" => &["IfNoneMatch"],
        "post" => &["IdempotencyKey", "IfMatch"],
        _ => &["IfMatch"],
    };
    let list = operation.entry("parameters").or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut() {
        list.extend(parameters.iter().map(|p| reference("parameters", p)));
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    let mut put = |status: &str, name: &str| {
        responses.entry(status).or_insert_with(|| reference("responses", name));
    };
    put("429", "TooFast");
    if method == "get" {
        put("304", "NotModified");
    } else {
        put("412", "Changed");
    }
    if method == "post" {
        put("409", "KeyInUse");
        put("413", "TooLarge");
        put("422", "KeyReused");
    }
    if body {
        put("413", "TooLarge");
        put("415", "WrongMedia");
    }
    let json = |r: &Value| r["content"].get("application/json").is_some();
    if let Some(good) = responses.get_mut("200").filter(|r| method == "get" && json(r)) {
        good["headers"]["ETag"] = reference("headers", "ETag");
    }
}
