"""The pictures of the README, taken of a running demo: python scripts/screenshots.py READY_FILE PASSWORD."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


async def sign_in(browser: Browser, url: str, login: str, password: str, *, width: int, height: int) -> Page:
    context = await browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
    page = await context.new_page()
    await page.goto(f"{url}/login")
    await page.fill("#login", login)
    await page.fill("#password", password)
    await page.click("button.main")
    return page


async def main(url: str, password: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        desk = await sign_in(browser, url, "consultant-1", password, width=1280, height=1000)
        await desk.click("text=Take the next call")
        await desk.screenshot(path=PICTURES / "desk.png")
        await desk.goto(f"{url}/desk?lang=zh-Hans")
        await desk.screenshot(path=PICTURES / "desk-zh.png")
        outbox = await sign_in(browser, url, "operator-1", password, width=1280, height=1000)
        await outbox.goto(f"{url}/outbox?show=DELIVERED")
        await outbox.screenshot(path=PICTURES / "outbox.png")
        await outbox.goto(f"{url}/outbox?show=NOT_SENT")
        await outbox.screenshot(path=PICTURES / "outbox-not-sent.png")
        store = await sign_in(browser, url, "advisor-1", password, width=390, height=844)
        await store.fill("#q", "ziggy")
        await store.keyboard.press("Enter")
        await store.wait_for_selector("a.tap")
        families = await store.query_selector_all("a.tap:has(.chip)")
        await (families[0] if families else store.locator("a.tap").first).click()
        await store.wait_for_load_state()
        await store.screenshot(path=PICTURES / "store.png")
        await browser.close()


if __name__ == "__main__":
    ready_file, password = sys.argv[1:3]
    PICTURES.mkdir(exist_ok=True)
    asyncio.run(main(json.loads(Path(ready_file).read_text(encoding="utf-8"))["url"], password))
