"""The pages in a real browser that has no network: they show everything, and a prediction can be made on them."""

import json
from pathlib import Path

from tests.api.browser import browser
from tests.api.running import RunningApi

ENTER = """((field, text) => {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, text);
  field.dispatchEvent(new Event("input", { bubbles: true }));
  return true;
})(document.querySelector("%s"), "%s")"""
"""As a person would: the page notices."""


def click(selector: str) -> str:
    """A script that is true once it has clicked."""
    return f"(document.querySelector('{selector}').click(), true)"


async def test_a_key_is_entered_and_a_prediction_made(api: RunningApi, tmp_path: Path) -> None:
    """Without the key it is refused; with it, the answer of the model is shown."""
    made = await api.post("/keys", json={"name": "reader", "scopes": ["predict"]})
    of_predict = "#operations-predictions-predict"
    answered = (
        f"document.querySelector('{of_predict} .live-responses-table tr.response td.response-col_status')?.innerText"
    )

    async with browser(tmp_path) as page:
        await page.open(f"http://127.0.0.1:{api.settings.port}/docs")
        await page.wait(click(f"{of_predict} .opblock-summary-control"))
        await page.wait(click(f"{of_predict} .btn.execute"))
        assert (await page.wait(answered)).startswith("401")

        await page.wait(click(".btn.authorize"))
        await page.wait(ENTER % (".modal-ux input", made.json()["token"]))
        await page.wait(click(".modal-ux .btn.modal-btn.authorize"))
        await page.wait(click(".modal-ux .btn-done"))
        await page.wait(click(f"{of_predict} .btn.execute"))
        await page.wait(f"{answered}.startsWith('200')")
        shown = await page.run(
            f"document.querySelector('{of_predict} .live-responses-table tr.response .highlight-code').innerText"
        )

    answer = json.loads(shown[shown.index("{") : shown.rindex("}") + 1])
    assert answer["input"] == "hello"
    assert len(answer["result"]) == 64
    predicted = (await api.get("/predictions", headers={"Authorization": f"Bearer {made.json()['token']}"})).json()
    assert [each["status"] for each in predicted["predictions"]] == ["succeeded"]


async def test_the_second_page_shows_every_operation(api: RunningApi, tmp_path: Path) -> None:
    """RapiDoc, with a way back to Swagger UI."""
    root = "document.querySelector('rapi-doc').shadowRoot"
    openapi = (await api.get("/docs/openapi.json")).json()
    served = sum(len(methods) for methods in openapi["paths"].values())

    async with browser(tmp_path) as page:
        await page.open(f"http://127.0.0.1:{api.settings.port}/docs")
        await page.wait(click('a[href="/docs/rapidoc"]'))
        await page.wait(f"{root}.querySelectorAll('.nav-bar-path').length >= {served}")
        assert await page.run("location.pathname") == "/docs/rapidoc"
        await page.run("document.querySelector('rapi-doc nav a').click()")
        await page.wait("location.pathname === '/docs'")
